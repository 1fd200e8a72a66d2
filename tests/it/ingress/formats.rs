//! What a message may look like, and what is done with one that cannot be an event.

use serde_json::json;

use super::backend::Backend;
use super::{CHANNELS, count, log, start};
use crate::support::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_can_be_read_becomes_an_event_and_the_rest_is_counted() {
    let cluster = start(1).await;
    let mut backend = Backend::start(&cluster.redis);
    let large = format!("{}x", "x".repeat(256 * 1024));
    let said = [
        (
            r#"'{"type":"job.done","data":{ "n" : 1.50 }}'"#,
            Some(("job.done", r#"{ "n" : 1.50 }"#)),
        ),
        (
            r#"'{"type":"seen","user":"é"}'"#,
            Some(("seen", r#"{"type":"seen","user":"é"}"#)),
        ),
        (r#""\xff\xfe""#, None),
        ("42", Some(("message", "42"))),
        (large.as_str(), None),
        (r#"'{"type":"x","data":"\u0000"}'"#, None),
        ("'a text'", Some(("message", r#""a text""#))),
    ];
    for (message, _) in &said {
        backend.say(CHANNELS[1], message).await;
    }
    backend.finish().await;
    let expected: Vec<_> = said.iter().filter_map(|(_, event)| *event).collect();
    let url = &cluster.database_url;
    eventually("the last one is logged", async || {
        log::read(url, CHANNELS[1]).await.len() >= expected.len()
    })
    .await;
    let logged = log::read(url, CHANNELS[1]).await;
    let logged: Vec<_> = logged
        .iter()
        .map(|(event_type, payload, _)| (event_type.as_str(), payload.as_str()))
        .collect();
    assert_eq!(logged, expected);

    let health = cluster.instances[0].health().await;
    assert_eq!(count(&health, "refused"), 3, "{health}");
    assert_eq!(count(&health, "dropped"), 0, "{health}");
    assert_eq!(health["ingress"]["channels"], json!(CHANNELS));
    let refused = |line: &String| line.contains("a message of a backend is refused");
    eventually("the log says why", async || {
        let reasons = cluster.instances[0].logged();
        reasons
            .iter()
            .any(|line| refused(line) && line.contains("UTF-8"))
    })
    .await;
}
