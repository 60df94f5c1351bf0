//! The placeholders of one sandbox.

use std::sync::Arc;

use memchr::memmem;
use outwall_policy::Sandbox;
use outwall_policy::brokered::BrokeredCredential;

use super::PlaceholderKey;

/// The placeholders of one sandbox, of every credential that its environment may use.
#[derive(Debug, Default)]
pub struct Placeholders(Vec<Shown>);

/// One of them.
#[derive(Debug)]
pub struct Shown {
    /// Whose place it takes.
    pub credential: Arc<BrokeredCredential>,
    /// What the sandbox sees.
    pub text: String,
}

impl Placeholders {
    /// Those of this sandbox.
    pub fn new<'a>(
        key: &PlaceholderKey,
        sandbox: &Sandbox,
        credentials: impl IntoIterator<Item = &'a Arc<BrokeredCredential>>,
    ) -> Self {
        let usable = credentials
            .into_iter()
            .filter(|known| known.environments().contains(&sandbox.environment));
        let shown = usable.filter_map(|known| {
            Some(Shown {
                text: key.placeholder(sandbox.id, known)?,
                credential: Arc::clone(known),
            })
        });
        Self(shown.collect())
    }

    /// All of them.
    pub fn all(&self) -> &[Shown] {
        &self.0
    }

    /// The variables of the sandbox with what they hold, and those that its clients need beside.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(Shown::variables)
    }

    /// Whose placeholder a value is.
    pub fn whose(&self, value: &[u8]) -> Option<&Arc<BrokeredCredential>> {
        let found = self.0.iter().find(|shown| shown.text.as_bytes() == value);
        found.map(|shown| &shown.credential)
    }

    /// Whose placeholder stands somewhere in a text.
    pub fn within(&self, text: &[u8]) -> Option<&Arc<BrokeredCredential>> {
        let mut all = self.0.iter();
        all.find(|shown| memmem::find(text, shown.text.as_bytes()).is_some())
            .map(|shown| &shown.credential)
    }
}

impl Shown {
    fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        let shape = self.credential.placeholder().into_iter();
        shape.flat_map(|shape| {
            let own = shape
                .variables
                .iter()
                .map(|name| (name.as_str(), self.text.as_str()));
            let beside = shape.companions.iter();
            own.chain(beside.map(|(name, value)| (name.as_str(), value.as_str())))
        })
    }
}
