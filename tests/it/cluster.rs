//! Several instances, one truth: real processes on a Postgres and a Redis of their own, which are killed and
//! paused under traffic. What was acked is in the log, and every subscriber of a project is told the log: all
//! of it, once, in order, byte by byte, whichever instance it is on and whatever happened meanwhile.
//!
//! Who sends what to which instance is drawn from a seed, which a failure shows; `IT_SEED=<seed>` replays it.

mod full_speed;
mod log;
mod member;
mod outages;
mod publisher;
mod replay;
mod run;
mod settings;
mod together;
