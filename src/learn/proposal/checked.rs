//! Makes sure that what is proposed is valid, whatever clients have sent: what the parser refuses becomes a comment.

use crate::contract::dialect::{CustomEvents, Dialect};

/// Bytes of a proposal: a file may have a little more.
const MAX_BYTES: usize = 240 * 1024;
/// Bytes of a name that can stand in a file.
const MAX_NAME: usize = 128;
/// Bytes of a key that can stand in a template.
const MAX_KEY: usize = 64;
/// Names that the client library says itself.
const OF_THE_LIBRARY: [&str; 7] = [
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
    "error",
];

/// Whether an event of this name can have a rule of its own.
pub(super) fn is_name(name: &str) -> bool {
    let is_fine = |char: char| !char.is_control() && !"*<>".contains(char);
    (1..=MAX_NAME).contains(&name.len())
        && name.chars().all(is_fine)
        && !OF_THE_LIBRARY.contains(&name)
}

/// Whether a key can stand in a template.
pub(super) fn is_key(key: &str) -> bool {
    let is_fine = |char: char| char.is_alphanumeric() || char == '_' || char == '-';
    (1..=MAX_KEY).contains(&key.len()) && key.chars().all(is_fine)
}

/// The same file, in which all that is not valid is a comment that says why.
pub(super) fn valid(file: &str) -> String {
    let mut blocks: Vec<String> = Vec::new();
    let mut bytes = 0;
    for block in file.trim_end().split("\n\n") {
        bytes += block.len() + 2;
        if bytes > MAX_BYTES {
            blocks.push(
                "# decide: there were more events than a file can have rules for.".to_owned(),
            );
            break;
        }
        blocks.push(block.to_owned());
    }
    loop {
        let text = blocks.join("\n\n") + "\n";
        let Err(error) = Dialect::read("proposal", "proposal", &text, &CustomEvents::default())
        else {
            return text;
        };
        let wrong = block_at(&blocks, error.line)
            .filter(|number| *number > 0 && !is_comment(&blocks[*number]));
        match wrong {
            Some(wrong) => blocks[wrong] = comment(&blocks[wrong], &error.message),
            // What is wrong with all of it together, such as too many rules.
            None if blocks.len() > 1 => blocks.truncate(blocks.len() - blocks.len().div_ceil(8)),
            None => return String::new(),
        }
    }
}

/// The block in which a line stands.
fn block_at(blocks: &[String], line: usize) -> Option<usize> {
    let mut end = 0;
    blocks.iter().position(|block| {
        end += block.lines().count() + 1;
        line < end + 1
    })
}

fn is_comment(block: &str) -> bool {
    block.lines().all(|line| line.starts_with('#'))
}

fn comment(block: &str, why: &str) -> String {
    let why: String = why.chars().filter(|char| !char.is_control()).collect();
    let mut text = format!("# decide: this cannot stand here: {why}");
    for line in block.lines() {
        text.push('\n');
        if !line.starts_with('#') {
            text.push_str("# ");
        }
        text.push_str(line);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_becomes_a_comment() {
        let file = "about = \"x\"\n\n[on.\"a\"]\nis = \"nothing\"\n\n[on.\"b\"]\nrelay = \"c\"\n\n[what]\na = 1";
        let valid = valid(file);
        assert!(
            valid.contains("# [on.\"a\"]\n# is = \"nothing\"\n\n[on.\"b\"]\nrelay"),
            "{valid}"
        );
        assert!(valid.contains("# [what]"), "{valid}");
        assert!(
            valid.contains("# decide: this cannot stand here: there is no such event"),
            "{valid}"
        );
    }

    #[test]
    fn more_than_a_file_can_have_is_left_out() {
        let padding = "x".repeat(1024);
        let rule = |number| format!("\n\n# {padding}\n[on.\"a{number}\"]\nrelay = \"b\"");
        let rules: String = (0..300).map(rule).collect();
        let valid = valid(&format!("about = \"x\"{rules}"));
        assert!(valid.len() < MAX_BYTES + 200, "{}", valid.len());
        assert!(valid.contains("[on.\"a200\"]"));
        assert!(valid.ends_with("more events than a file can have rules for.\n"));
    }

    #[test]
    fn names_and_keys_that_can_stand_in_a_file() {
        for name in ["task:create", "typing", "Größe ändern"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "a*", "<id>", "a\nb", "connect", &"x".repeat(129)] {
            assert!(!is_name(name), "{name}");
        }
        assert!(
            is_key("task_id")
                && is_key("0")
                && !is_key("$x")
                && !is_key("a.b")
                && !is_key("a ?? b")
        );
    }
}
