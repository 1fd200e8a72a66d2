//! The rules of the house: what projects, tasks, comments and the other kinds are, and what a command does to them.
//!
//! Pure: no I/O, no clock, no randomness. Everything a rule needs is handed in ([`World`], [`Context`])
//! and everything it decides is handed back ([`Changes`]), so that each rule can be tested by itself and
//! a refused command leaves no trace.

mod apply;
mod backend_source;
mod cascade;
mod change;
mod channel;
mod client;
mod command;
mod entity;
mod entity_fields;
mod epoch;
mod event;
mod fields;
mod id;
mod identity;
mod kind;
mod list;
mod name_map;
mod needs;
mod place;
mod place_key;
pub mod policy;
mod rank;
mod refusal;
mod role;
mod signal;
mod timestamp;
mod world;

pub use apply::{Context, apply, place_query, step};
pub use backend_source::BackendSource;
pub use cascade::{Cascade, CascadeKey, Cause, Reference, STEP_TASKS, done_statuses};
pub use change::{Changes, Draft, Dragged};
pub use channel::{ChannelName, ChannelNameError, Family, Target};
pub use client::{ClientId, PrivateId};
pub use command::{Action, Command, IfMatch, MoveTo, Place, TOGGLED, ToColumn, Unsettled, Wrapper};
pub use entity::{Entity, FieldStamp, History, SOURCE_STAMPS, Stamp, plain_status};
pub use entity_fields::{EntityFields, FieldSource, FieldValue};
pub use epoch::{Epoch, Seal};
pub use event::{Event, EventId, EventType, Seq};
pub use fields::Fields;
pub use id::{
    Actor, ChannelNo, ConnectionId, EntityId, Id, IdError, InstanceId, ProjectId, RequestId,
};
pub use identity::{Grants, Holder, Identity, Membership};
pub use kind::{ChangedBy, Kind, KindDef, KindError};
pub use list::{FieldFilter, Filter, Mark, Page, StatePage, StatePlace, Whose};
pub use name_map::NameMap;
pub use needs::Needs;
pub use place::{Column, Neighbours, OrderEntry, PlaceQuery, Wanted};
pub use place_key::PlaceKey;
pub use rank::Rank;
pub use refusal::Refusal;
pub use role::{Role, UnknownRole};
pub use signal::{Lasting, Signal};
pub use timestamp::Timestamp;
pub use world::World;
