//! What is sent to the open page.

use serde::Serialize;
use std::collections::BTreeMap;

/// How the open page comes from one state of a `view!` to the next, in each place where it is rendered.
///
/// `docs/internals/dev-patches.md` says what each field means to the browser.
#[derive(Debug, Clone, Serialize)]
pub struct ViewPatch {
    /// What the markers of the view carry in the HTML of the program that runs.
    pub id: String,
    /// The state that was compiled: what a page shows that was loaded since.
    pub base: String,
    /// The state that this patch begins with.
    pub from: String,
    /// The state that it makes.
    pub to: String,
    /// What stands between the markers now.
    pub old: Vec<OldNode>,
    /// What is to stand there.
    pub new: Vec<NewNode>,
}

/// Two names of one view: what its markers carried before a compile, and what they carry after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Renamed {
    /// In pages that were served before.
    pub from: String,
    /// In pages that are served now, and in patches from now on.
    pub to: String,
}

/// A node that is in the page. `n` is its number, by which new nodes name it.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum OldNode {
    /// A text node with this very text.
    Text {
        /// Its number.
        n: usize,
        /// The text.
        text: String,
    },
    /// An element.
    Element {
        /// Its number.
        n: usize,
        /// Its name.
        tag: String,
        /// Its content; none where that is none of ours.
        #[serde(skip_serializing_if = "Option::is_none")]
        children: Option<Vec<OldNode>>,
    },
    /// Any number of nodes that Rust made.
    Run {
        /// Its number.
        n: usize,
        /// Children of components in it that change too.
        inner: Vec<Inner>,
    },
}

/// What changes among the children of a component, wherever it rendered them.
#[derive(Debug, Clone, Serialize)]
pub struct Inner {
    /// Whether it may be there several times.
    pub many: bool,
    /// What is there now, as neighbours.
    pub old: Vec<OldNode>,
    /// What is to be there.
    pub new: Vec<NewNode>,
}

/// A node that is to be in the page.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum NewNode {
    /// A text node.
    Text {
        /// Which old one it is; a new one where absent.
        #[serde(skip_serializing_if = "Option::is_none")]
        n: Option<usize>,
        /// The text.
        text: String,
    },
    /// An element.
    Element {
        /// Which old one it is; a new one where absent.
        #[serde(skip_serializing_if = "Option::is_none")]
        n: Option<usize>,
        /// Its name.
        tag: String,
        /// Attributes that it gets.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        set: BTreeMap<String, String>,
        /// Attributes that it loses.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        remove: Vec<String>,
        /// Its own classes before and after: others that it has stay.
        #[serde(skip_serializing_if = "Option::is_none")]
        class: Option<(String, String)>,
        /// Its content; none where that is none of ours.
        #[serde(skip_serializing_if = "Option::is_none")]
        children: Option<Vec<NewNode>>,
    },
    /// The nodes of an old run.
    Run {
        /// Which.
        run: usize,
    },
}
