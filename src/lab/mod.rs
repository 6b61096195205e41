//! The lab: a topology with everything expanded, resolved and defaulted. Pure.
//!
//! Owns replicas, selectors, networks, addresses, links, routes, overlay and all errors about them. Must not do I/O,
//! nor know the engine.

mod advice;
mod by_hand;
mod chaos;
mod churn;
mod drawn;
#[cfg(test)]
mod drawn_tests;
mod faults;
mod links;
mod load;
mod model;
mod networks;
mod overlay;
mod programs;
mod reach;
mod roster;
pub mod route;
mod schedule;
mod select;
mod settle;
pub mod shape;
mod subnet;
mod targets;

pub use by_hand::{ByHand, by_hand};
pub use load::{Loaded, load};
pub use model::{
    Addresses, Check, Condition, FORMAT, Healthcheck, Image, Interface, LAB_SUBNET, Lab, Link,
    Links, Network, Node, Program, RESOLVER, Reach, SAMPLING, Scenario, ScheduledFault, Subnet,
    Wires,
};

mod checks;
