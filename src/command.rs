//! From what somebody asks to what is committed: who asks ([`Caller`]), and the queues and batches in
//! which commands reach the store ([`Writer`]).

mod batch;
mod caller;
mod scene;
mod stage;
mod writer;

pub use caller::Caller;
pub use writer::{Writer, WriterOptions};
