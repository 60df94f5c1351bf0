//! GitHub at listeners of our own, for sandboxes that others run: who a client is, each of its requests says.
//!
//! A connection belongs to nobody here: git asks once without a credential before it asks its helper, and an intermediary may share one
//! out. So every request is identified by what it shows itself (`reception`), goes to the gate of that sandbox, and from there takes the
//! way of all requests to GitHub. What is told to who shows nothing is in `stranger`.

mod names;
mod reception;
mod stranger;
mod wire;

pub(crate) use names::Here;
pub(crate) use reception::FrontHost;
pub(crate) use wire::{FrontTcp, FrontUnix};
