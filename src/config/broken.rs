//! Protections of the hub that its checker switches off, to show that it notices. Debug builds only: a
//! release knows neither the variable nor the branches.

/// What a test may take away from the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// `sweep`: it does not look, and takes every log for unchanged.
    Sweep,
    /// `duplicate-drop`: what a room has already is delivered again.
    DuplicateDrop,
    /// `reorder-window`: what is ahead is appended at once, and what is missing before it is skipped.
    ReorderWindow,
    /// `access-view`: what ends or narrows access is not applied, and checks admit.
    AccessView,
    /// `bus`: what other nodes say is dropped.
    Bus,
}

/// The protections that are switched off. In a release there is no such thing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Broken {
    #[cfg(debug_assertions)]
    bits: u8,
}

impl Broken {
    /// Whether this protection is switched off.
    #[cfg(not(debug_assertions))]
    pub const fn lacks(self, _: Protection) -> bool {
        false
    }
}

#[cfg(debug_assertions)]
impl Broken {
    const NAMES: [(&str, Protection); 5] = [
        ("sweep", Protection::Sweep),
        ("duplicate-drop", Protection::DuplicateDrop),
        ("reorder-window", Protection::ReorderWindow),
        ("access-view", Protection::AccessView),
        ("bus", Protection::Bus),
    ];

    /// Whether this protection is switched off.
    pub const fn lacks(self, protection: Protection) -> bool {
        self.bits & (1 << protection as u8) != 0
    }

    /// Without this protection, too.
    #[must_use]
    pub const fn without(self, protection: Protection) -> Self {
        Self { bits: self.bits | (1 << protection as u8) }
    }

    /// What `ROOMCAST_BREAK` names, separated by commas. A name that there is not ends the program: a test
    /// that breaks nothing shows nothing.
    #[expect(clippy::disallowed_methods, reason = "it is no setting: no flag, no .env, no help")]
    pub(super) fn from_environment() -> Self {
        let names = std::env::var("ROOMCAST_BREAK").unwrap_or_default();
        names.split(',').filter(|name| !name.is_empty()).fold(Self::default(), |broken, name| {
            let known = Self::NAMES.iter().find(|(known, _)| *known == name);
            let (_, protection) = known.unwrap_or_else(|| panic!("ROOMCAST_BREAK cannot break {name:?}"));
            broken.without(*protection)
        })
    }
}
