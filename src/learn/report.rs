//! What was learned, as `/admin/learned` tells it and `boardcast learn` reads it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ClientDescription, Shape};

/// What was learned since the server started.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Learned {
    /// Whether everything is written down (`--learn`); else only what was not understood.
    pub learning: bool,
    /// Since when.
    pub since: String,
    /// Of each event that clients have sent, those first that were sent most.
    pub events: Vec<LearnedEvent>,
    /// Messages of events for whose names there was no room.
    pub other_events: u64,
    /// What backends have published.
    pub published: Vec<LearnedPublication>,
    /// Publications for whose types there was no room.
    pub other_publications: u64,
    /// How clients have connected.
    pub connections: Vec<Connected>,
    /// Namespaces that clients have asked for and the server does not have, and how often.
    pub refused_namespaces: BTreeMap<String, u64>,
}

/// An event's name, and what came under it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct LearnedEvent {
    /// The name; what looks like an id in it is `<id>`.
    pub event: String,
    /// How often it was sent.
    pub count: u64,
    /// When first.
    pub first: String,
    /// When last.
    pub last: String,
    /// How often an ack was wanted.
    pub acks: u64,
    /// Which programs sent it.
    pub clients: Vec<ClientCount>,
    /// Which arguments it had.
    pub shapes: Vec<ShapeCount>,
    /// Messages of shapes for which there was no room.
    pub other_shapes: u64,
    /// What became of it.
    pub outcomes: Vec<OutcomeCount>,
}

/// A program, and how many messages it sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientCount {
    /// The program.
    #[serde(flatten)]
    pub client: ClientDescription,
    /// How many messages.
    pub count: u64,
}

/// A shape of arguments, and how often it came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ShapeCount {
    /// Of each argument: `string`, `number`, `boolean`, `null`, `any`, or an object or a list of these.
    #[schemars(with = "Vec<serde_json::Value>")]
    pub args: Vec<Shape>,
    /// How often.
    pub count: u64,
}

/// What became of messages.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct OutcomeCount {
    /// What they were taken for: one of the server's events, `relay`, `custom`, …
    #[serde(rename = "takenFor", skip_serializing_if = "Option::is_none")]
    pub taken_for: Option<String>,
    /// The code of the refusal, if they were refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The field that was to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Why, in a sentence that quotes nothing of the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// How often.
    pub count: u64,
}

/// A type of what backends publish.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct LearnedPublication {
    /// The channel up to its first colon, such as `project` or `user`.
    pub family: String,
    /// The type: the name under which clients hear of it.
    #[serde(rename = "type")]
    pub event_type: String,
    /// How often.
    pub count: u64,
    /// Which data it had.
    pub shapes: Vec<ShapeCount>,
    /// The code of the last refusal, if one was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// A way of connecting.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Connected {
    /// The namespace.
    pub namespace: String,
    /// The path.
    pub path: String,
    /// The keys of `auth`.
    pub auth: Vec<String>,
    /// The keys of the query, besides the protocol's own.
    pub query: Vec<String>,
    /// How many connections.
    pub count: u64,
}
