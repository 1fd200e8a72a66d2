//! The dialects that come with the program serve the frontends that they were written for, as `boardcast dialect try` sees
//! it. What real clients hear of it is tested in `tests/clients/frontends.test.mjs`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use boardcast::compatibility::{Facts, Outcome, Report, try_dialect};
use boardcast::dialect_files::shipped;
use serde_json::Value;
use tokio::task::JoinSet;

/// Listens that are not satisfied, and why: the dialect, the event, the reason.
const NOT_SATISFIED: [(&str, &str, &str); 0] = [];

/// The frontends' facts, by the names of their dialects.
fn facts() -> Vec<(String, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/frontends");
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path))
        .collect();
    files.sort();
    assert!(files.len() >= 13, "{files:?}");
    files
}

async fn reports() -> Vec<(String, Report)> {
    let mut plays = JoinSet::new();
    for (name, file) in facts() {
        plays.spawn(async move {
            let facts = Facts::read(&file).unwrap();
            let report = try_dialect(&name, &facts).await;
            (name, report.unwrap_or_else(|error| panic!("{error}")))
        });
    }
    let mut reports = plays.join_all().await;
    reports.sort_by(|(one, _), (other, _)| one.cmp(other));
    reports
}

#[tokio::test(flavor = "multi_thread")]
async fn shipped_dialects_serve_their_frontends() {
    let (mut wrong, mut listens) = (Vec::new(), 0);
    for (name, report) in reports().await {
        listens += report.sums.listens;
        let excepted = |event: &str| {
            let mut known = NOT_SATISFIED.iter();
            known.any(|(dialect, of, _)| *dialect == name && *of == event)
        };
        for emit in report.emits.iter().filter(|emit| !emit.understood) {
            let why = emit.why.as_deref().unwrap_or_default();
            wrong.push(format!("{name}: {} is not understood: {why}", emit.event));
        }
        for call in report.backend.iter().filter(|call| !call.ok) {
            let why = call.why.as_deref().unwrap_or_default();
            wrong.push(format!("{name}: {} is refused: {why}", call.call));
        }
        for listen in &report.listens {
            let is_served = matches!(listen.result, Outcome::Ok | Outcome::Dead);
            if is_served == excepted(&listen.event) {
                let (event, missing) = (&listen.event, &listen.missing);
                wrong.push(format!("{name}: {event}: {:?} {missing:?}", listen.result));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        NOT_SATISFIED.len() * 20 <= listens,
        "more than 5 % of {listens}"
    );
}

/// Removing a file under `dialects/` removes its support and nothing else.
#[test]
fn no_code_knows_a_frontend_by_name() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let code = fs::read_to_string(&path).unwrap();
            for (name, _) in facts() {
                assert!(!code.contains(&name), "{} names {name}", path.display());
            }
        }
    }
    let names = shipped();
    for (name, _) in facts() {
        assert!(
            names.contains(&name.as_str()),
            "no dialect is called {name}"
        );
    }
}

fn dialect(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_boardcast"))
        .arg("dialect")
        .args(args)
        .env_clear()
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_dialect_that_misses_something_ends_the_program_with_1() {
    let facts = "fixtures/frontends/use-tasks-with-acks.json";
    let output = dialect(&["try", "default", facts]);
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{out}{error}");
    assert!(
        out.contains("task:create  not understood  validation_failed"),
        "{out}"
    );
    assert!(out.contains("sync:tasks    server  not heard"), "{out}");
    assert!(error.contains("0 of 4 emits understood"), "{error}");
}

#[test]
fn a_dialect_that_serves_all_ends_the_program_with_0() {
    let facts = "fixtures/frontends/use-tasks-with-acks.json";
    let output = dialect(&["try", "dialects/use-tasks-with-acks.toml", facts, "--json"]);
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}{error}");
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["sums"]["understood"], 4);
    assert_eq!(report["sums"]["satisfied"], 5);
}

#[test]
fn a_wrong_file_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let bad = write("bad.toml", "about = \"x\"\n[on.\"a\"]\nis = \"nothing\"\n");
    let facts = write("facts.json", "{\"frontend\": \"f\",\n \"emits\": {}}");
    for (args, expected) in [
        (&["check", &bad][..], "bad.toml:3: there is no such event"),
        (&["check", "nowhere"], "there is no dialect \"nowhere\""),
        (&["try", "default", &facts], "expected a sequence at line 2"),
        (
            &["try", "default", "nowhere.json"],
            "nowhere.json cannot be read",
        ),
    ] {
        let output = dialect(args);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains(expected), "{error}");
    }
    let output = dialect(&["check", "use-tasks-with-acks"]);
    let out = text(&output.stdout);
    assert!(
        out.contains("(those of default.toml included), 5 for what they hear, 1 greetings"),
        "{out}"
    );
}
