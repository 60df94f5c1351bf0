//! An origin, a gate and a client, each in a few lines.

pub(crate) mod client;
pub(crate) mod gate;
pub(crate) mod origin;
pub(crate) mod parent;
pub(crate) mod resolver;
pub(crate) mod wire;

pub(crate) use client::{Client, Via};
pub(crate) use gate::TestGate;
pub(crate) use origin::{Origin, OriginKind};
