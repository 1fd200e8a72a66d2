//! The OpenAPI document, and what goes over the wire.

use serde_json::{Value, json};

use super::with_task;
use crate::support::rest::Rest;
use crate::support::server::Server;
use crate::support::tokens;

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_there_for_everybody() {
    let server = Server::start_with("sqlite::memory:", &tokens::REQUIRED).await;
    let rest = Rest::new(&server.address);
    rest.get("/projects").await.problem(401, "unauthenticated");
    let document = rest.get("/openapi.json").await.expect(200);
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().expect("paths");
    assert!(paths.len() > 15, "{paths:?}");
    let mut names = Vec::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().expect("an item") {
            if method != "parameters" {
                names.push(
                    operation["operationId"]
                        .as_str()
                        .expect("a name")
                        .to_owned(),
                );
                refers(&document, operation, path);
            }
        }
    }
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count, "names are different");
}

/// Whether every reference leads somewhere.
fn refers(document: &Value, value: &Value, path: &str) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                let pointer = reference.strip_prefix('#').expect("within the document");
                assert!(document.pointer(pointer).is_some(), "{path}: {reference}");
            }
            fields
                .values()
                .for_each(|value| refers(document, value, path));
        }
        Value::Array(values) => values
            .iter()
            .for_each(|value| refers(document, value, path)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_answers_are_compressed_for_those_who_can_read_that() {
    let (_server, rest) = with_task().await;
    let text = json!({"description": "word ".repeat(2000)});
    rest.patch("/projects/p/tasks/t", &text).await.expect(200);
    let (able, unable) = (rest.with("Accept-Encoding", "gzip"), &rest);
    let path = "/projects/p/tasks/t";
    let plain = unable.get(path).await;
    assert_eq!(plain.header("content-encoding"), None);
    let packed = able.get(path).await;
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert!(packed.bytes.len() * 10 < plain.bytes.len());
    assert_eq!(&packed.bytes[..2], b"\x1f\x8b");
    let small = able.get("/projects/p").await;
    assert_eq!(small.header("content-encoding"), None);
    small.expect(200);
}
