//! What all endpoints over HTTP share: how one is described and routed, and the request that it serves.

pub(crate) mod endpoint;
pub(crate) mod request;
