//! From what somebody asks to what is committed: who asks ([`Caller`]), and the queues and batches in
//! which commands reach the store ([`Writer`]).

mod batch;
mod caller;
mod cascades;
mod fair;
mod scene;
mod stage;
mod watch;
mod writer;

pub use caller::Caller;
pub use watch::WriterReport;
pub use writer::{Writer, WriterOptions};
