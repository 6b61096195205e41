//! Asks the forwarding thread what links are.

use super::switch::witness::{LinkWitness, Place, Standing};
use super::{Fabric, FabricError, ResolverManner, sys};
use crate::id::NodeIndex;

impl Fabric {
    /// What these links are at one moment, in their order. Takes about a microsecond for each, in
    /// which no packet is forwarded.
    ///
    /// # Errors
    /// A link that there is not, or [`FabricError::Gone`].
    pub fn witness(&self, places: &[Place]) -> Result<Vec<LinkWitness>, FabricError> {
        let places = places.to_vec();
        self.ask(move |worker| {
            let now = sys::now();
            let look = |place| worker.switch.witness(place, now);
            places.into_iter().map(look).collect()
        })?
    }

    /// All links that are not as their network's default, by network, sender and receiver.
    ///
    /// # Errors
    /// Only [`FabricError::Gone`].
    pub fn standing(&self) -> Result<Vec<Standing>, FabricError> {
        self.ask(|worker| worker.switch.standing())
    }

    /// Nodes that the resolver does not answer as usual, and how it does.
    ///
    /// # Errors
    /// Only [`FabricError::Gone`].
    pub fn manners(&self) -> Result<Vec<(NodeIndex, ResolverManner)>, FabricError> {
        self.ask(|worker| worker.switch.manners())
    }
}
