//! Events in the formats of other systems.

pub mod ocsf;
