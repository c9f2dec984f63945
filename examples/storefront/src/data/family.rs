//! The twelve families of colours.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use tropos::Failure;

/// A family, in the order in which the shop shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    Whites,
    Naturals,
    Browns,
    Reds,
    Oranges,
    Yellows,
    Greens,
    Teals,
    Blues,
    Violets,
    Pinks,
    Greys,
}

impl Family {
    /// All of them.
    pub const ALL: [Family; 12] = [
        Self::Whites,
        Self::Naturals,
        Self::Browns,
        Self::Reds,
        Self::Oranges,
        Self::Yellows,
        Self::Greens,
        Self::Teals,
        Self::Blues,
        Self::Violets,
        Self::Pinks,
        Self::Greys,
    ];

    /// Slug, title, singular, and the line beneath the title.
    const fn words(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::Whites => ("whites", "Whites", "white", "The ones you notice only when they are wrong."),
            Self::Naturals => (
                "naturals",
                "Naturals",
                "natural",
                "Linen, oat, sand and stone. Rooms that need no explaining.",
            ),
            Self::Browns => {
                ("browns", "Browns", "brown", "Timber, leather, coffee. Warmer than grey and just as quiet.")
            }
            Self::Reds => ("reds", "Reds", "red", "Brick to cherry. A little goes further than you think."),
            Self::Oranges => {
                ("oranges", "Oranges", "orange", "Clay, apricot, ember. The colour of late light.")
            }
            Self::Yellows => {
                ("yellows", "Yellows", "yellow", "Butter to brass. For rooms that face the wrong way.")
            }
            Self::Greens => {
                ("greens", "Greens", "green", "From pear to pine. The easiest colours to live beside.")
            }
            Self::Teals => ("teals", "Teals", "teal", "Green by day, blue by lamp."),
            Self::Blues => ("blues", "Blues", "blue", "Chalk, slate, midnight. There is always one more."),
            Self::Violets => {
                ("violets", "Violets", "violet", "Lilac, heather, aubergine. Braver than they look.")
            }
            Self::Pinks => {
                ("pinks", "Pinks", "pink", "Plaster, shell, rose. They flatter everyone in the room.")
            }
            Self::Greys => {
                ("greys", "Greys and blacks", "grey", "Fog, lead, soot. What the other colours lean on.")
            }
        }
    }

    /// The name in addresses, tags and the database.
    pub const fn slug(self) -> &'static str {
        self.words().0
    }

    /// The name in headings.
    pub const fn title(self) -> &'static str {
        self.words().1
    }

    /// One of its colours.
    pub const fn singular(self) -> &'static str {
        self.words().2
    }

    /// The line beneath the title.
    pub const fn line(self) -> &'static str {
        self.words().3
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}

impl FromStr for Family {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let known = Self::ALL.into_iter().find(|family| family.slug() == text);
        known.ok_or_else(|| Failure::new(format!("there is no family `{text}`")))
    }
}

/// For the database's rows.
impl TryFrom<String> for Family {
    type Error = sqlx::Error;

    fn try_from(text: String) -> Result<Self, sqlx::Error> {
        text.parse().map_err(|failure: Failure| sqlx::Error::Decode(failure.to_string().into()))
    }
}
