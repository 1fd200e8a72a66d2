//! What is done for every command or every delivery, by itself: `cargo bench --bench hot_paths`.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use boardcast::contract::{Arguments, Cursor, EventName, Limits, Reply, Request, payload};
use boardcast::domain::{
    Actor, ChannelNo, Command, Context, Draft, Entity, Epoch, Id, Kind, ProjectId, Timestamp,
    World, apply,
};
use criterion::{Criterion, criterion_group, criterion_main};

/// Packets as real boards send them.
const PACKETS: [(&str, &str, &str); 4] = [
    (
        "create",
        "task:create",
        r#"["task:create",{"projectId":"garden","task":{"id":"t1","title":"Water the tomatoes","status":"todo","priority":"high","assignee":"ada","tags":["bed-3","daily"],"storyPoints":3}}]"#,
    ),
    ("update", "task:update", UPDATE),
    (
        "move",
        "task:move",
        r#"["task:move",{"projectId":"garden","taskId":"t1","status":"doing","afterId":"t7"}]"#,
    ),
    ("join", "join:project", r#"["join:project","garden"]"#),
];
const UPDATE: &str = r#"["task:update",{"projectId":"garden","taskId":"t1","updates":{"title":"Water the beans","storyPoints":5,"dueDate":"2026-12-01"}}]"#;

/// Reads a packet as a Socket.IO message is read: from the text of its name on.
fn parse(event: &str, packet: &str, limits: &Limits) -> Result<Request, Reply> {
    let event = EventName::find(event).ok_or_else(|| EventName::unknown(event))?;
    Request::read(event, Arguments::Packet(packet), limits)
}

fn command(event: &str, packet: &str) -> Command {
    match parse(event, packet, &Limits::default()) {
        Ok(Request::Command(request)) => {
            let project = request.project.clone().expect("the packet names it");
            request.into_command(project)
        }
        other => unreachable!("the packet is a command: {other:?}"),
    }
}

fn garden() -> ProjectId {
    ProjectId(Id::from_text("garden").expect("it is an id"))
}

fn context() -> Context {
    Context {
        project: garden(),
        founder: None,
        actor: Actor::new("ada"),
        now: Timestamp::from_millis(1_800_000_000_000),
        strict: false,
    }
}

/// A project with one task that was changed before.
fn world() -> World {
    let mut world = World::new(garden(), 0);
    let (_, event, packet) = PACKETS[0];
    for command in [
        command(event, packet),
        command(
            "task:update",
            r#"["task:update",{"projectId":"garden","taskId":"t1","updates":{"status":"doing","storyPoints":4}}]"#,
        ),
    ] {
        let changes = apply(&world, &command, &context()).expect("the rules allow it");
        world.accept(&changes);
    }
    world
}

fn parsing(criterion: &mut Criterion) {
    for (name, event, packet) in PACKETS {
        criterion.bench_function(&format!("parse/{name}"), |bencher| {
            bencher.iter(|| parse(event, black_box(packet), &Limits::default()));
        });
    }
}

fn deciding(criterion: &mut Criterion) {
    let (world, command, context) = (world(), command("task:update", UPDATE), context());
    criterion.bench_function("apply/update", |bencher| {
        bencher.iter(|| apply(black_box(&world), &command, &context));
    });
}

fn telling(criterion: &mut Criterion) {
    let command = command("task:update", UPDATE);
    let changes = apply(&world(), &command, &context()).expect("the rules allow it");
    let draft: &Draft = &changes.events[0];
    criterion.bench_function("payload/event", |bencher| {
        bencher.iter(|| payload::event(black_box(draft), &command.echo, 4711));
    });
    let task: &Arc<Entity> = &changes.subject;
    assert_eq!(task.kind, Kind::Task);
    criterion.bench_function("payload/entity", |bencher| {
        bencher.iter(|| payload::entity(black_box(task)));
    });
}

fn cursors(criterion: &mut Criterion) {
    let mut cursor = Cursor::new(Epoch::generate());
    for (channels, name) in [
        (1, "cursor/1 channel"),
        (10, "cursor/10 channels"),
        (256, "cursor/256 channels"),
    ] {
        for number in 0..channels {
            cursor.set(ChannelNo(number), 4711 + number);
        }
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| black_box(&cursor).text());
        });
    }
}

criterion_group! {
    name = hot_paths;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(50);
    targets = parsing, deciding, telling, cursors
}
criterion_main!(hot_paths);
