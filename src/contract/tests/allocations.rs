//! How often memory is asked for on a command's way through the server: its cost at full load is mostly that.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::fixtures::epoch;
use super::*;
use crate::contract::{Accepted, Cursor, Limits, payload};
use crate::domain::{Actor, ChannelNo, Command, Context, Id, ProjectId, Timestamp, World, apply};

/// Two fields of a task as boards have them.
const UPDATE: &str = r#"["task:update",{"projectId":"garden","taskId":"t1","updates":{"title":"Water the beans","storyPoints":5,"dueDate":"2026-12-01"}}]"#;
/// The same without a wrapper, and with a change of status: two events.
const STATUS: &str = r#"["task:update",{"projectId":"garden","taskId":"t1","status":"doing","title":"Water the beans","assignee":"ada"}]"#;

fn context() -> Context {
    Context {
        project: ProjectId(Id::from_text("garden").unwrap()),
        founder: None,
        actor: Actor::new("ada"),
        now: Timestamp::from_millis(1_800_000_000_000),
        strict: false,
    }
}

fn read(packet: &str) -> Command {
    let event = EventName::find("task:update").unwrap();
    match Request::read(event, Arguments::Packet(packet), &Limits::default()) {
        Ok(Request::Command(request)) => {
            let project = request.project.clone().unwrap();
            request.into_command(project)
        }
        other => panic!("{other:?}"),
    }
}

/// A project with a task of twelve fields, each of which was changed before.
fn world() -> World {
    let mut world = World::new(context().project, 0);
    for round in 0..3 {
        let packet = json!(["task:update", {"projectId": "garden", "taskId": "t1",
            "title": format!("Sow {round}"), "description": format!("Beans, in rows {round}"), "status": "todo",
            "priority": format!("p{round}"), "assignee": format!("a{round}"), "reporter": format!("r{round}"),
            "storyPoints": round, "dueDate": format!("2026-11-0{round}"), "epicId": format!("e{round}"),
            "sprintId": format!("s{round}"), "columnId": format!("c{round}"), "tags": ["bed", round]}]);
        let changes = apply(&world, &read(&packet.to_string()), &context()).unwrap();
        world.accept(&changes);
    }
    world
}

/// From the bytes of a packet to those of its answer and its events.
fn serve(world: &mut World, packet: &str) -> usize {
    let command = read(packet);
    let changes = apply(world, &command, &context()).unwrap();
    let mut bytes = 0;
    for (seq, draft) in (world.seq() + 1..).zip(&changes.events) {
        let text: Arc<RawValue> = payload::event(draft, &command.echo, seq).into();
        bytes += text.get().len();
    }
    world.accept(&changes);
    let cursor = Cursor::single(epoch(), ChannelNo(1), world.seq()).text();
    let reply = Reply::accepted(Accepted {
        seq: world.seq(),
        cursor,
        version: changes.subject.version,
        data: Arc::clone(&changes.subject),
        noop: changes.is_noop(),
        merged: changes.merged,
        pending: 0,
    });
    bytes + reply.to_raw().get().len()
}

fn allocations(work: impl FnOnce()) -> u64 {
    allocation_counter::measure(work).count_total
}

#[test]
fn a_command_asks_for_memory_a_bounded_number_of_times() {
    for (packet, bound) in [(UPDATE, 68), (STATUS, 82)] {
        // What is made once for all commands is made now.
        let mut other = world();
        serve(&mut other, packet);
        let mut world = world();
        let (mut bytes, read) = (0, allocations(|| drop(self::read(packet))));
        let found = allocations(|| bytes = serve(&mut world, packet));
        assert!(bytes > 900, "there are an answer and an event: {bytes}");
        assert!(
            found <= bound,
            "{found} times, {read} of them for reading: {packet}"
        );
    }
}

#[test]
fn an_event_is_rendered_into_one_buffer() {
    let (world, command) = (world(), read(UPDATE));
    let changes = apply(&world, &command, &context()).unwrap();
    let found = allocations(|| drop(payload::event(&changes.events[0], &command.echo, 7)));
    // The list of members, and the text as it grows.
    assert!(found <= 6, "{found} times");
}
