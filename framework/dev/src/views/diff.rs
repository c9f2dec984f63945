//! From one state of a source to another: which view is which, and how one template becomes the other.

use super::{
    patch::{Inner, NewNode, OldNode},
    read::Parsed,
    template::{self, Dynamic, Element, Node, View},
};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// A view, as it was compiled, as the pages show it, and as it is.
#[derive(Debug)]
pub(super) struct Pair<'a> {
    pub(super) compiled: &'a View,
    pub(super) shown: &'a View,
    pub(super) new: &'a View,
    /// What differs; `None` where nothing does.
    pub(super) scope: Option<(Vec<OldNode>, Vec<NewNode>)>,
    needles: Vec<Needle<'a>>,
}

/// Nodes that must be searched for in the page.
#[derive(Debug, Clone)]
pub(super) struct Needle<'a> {
    pub(super) nodes: &'a [Node],
    /// The component among whose children they are.
    pub(super) of: &'a str,
    /// Whether they are a text, and all that the component has as children.
    pub(super) lone_text: bool,
}

impl<'a> Pair<'a> {
    pub(super) fn needles(&self) -> &[Needle<'a>] {
        &self.needles
    }
}

/// The views of two states of a source, side by side; `None` where more differs than patches can tell.
pub(super) fn files<'a>(compiled: &'a Parsed, shown: &'a Parsed, new: &'a Parsed) -> Option<Vec<Pair<'a>>> {
    if !shown.same_code(new) || shown.views.len() != new.views.len() {
        return None;
    }
    let mut by_id: HashMap<&str, (usize, &View)> = HashMap::new();
    for view in compiled.all_views() {
        by_id.entry(&view.id).or_insert((0, view)).0 += 1;
    }
    let mut pairs = Vec::new();
    for (shown, new) in shown.views.iter().zip(&new.views) {
        pair(&by_id, shown, new, &mut pairs)?;
    }
    Some(pairs)
}

fn pair<'a>(
    compiled: &HashMap<&str, (usize, &'a View)>,
    shown: &'a View,
    new: &'a View,
    pairs: &mut Vec<Pair<'a>>,
) -> Option<()> {
    let &(count, of) = compiled.get(shown.id.as_str())?;
    let mut found = Pair { compiled: of, shown, new, scope: None, needles: Vec::new() };
    let mut inner = Vec::new();
    match (&shown.template, &new.template) {
        (Some(a), Some(b)) if template::print(&a.nodes) == template::print(&b.nodes) => {
            inner.extend(shown.children().into_iter().zip(new.children()));
        }
        (Some(a), Some(b)) => {
            // Two views that begin on one line have the same markers.
            if !a.marked || count > 1 {
                return None;
            }
            let mut diff = Diff::default();
            found.scope = Some(diff.scope(&a.nodes, &b.nodes)?);
            found.needles = diff.needles;
            inner = diff.views;
        }
        _ if shown.print == new.print => inner.extend(shown.children().into_iter().zip(new.children())),
        _ => return None,
    }
    pairs.push(found);
    for (shown, new) in inner {
        pair(compiled, shown, new, pairs)?;
    }
    Some(())
}

#[derive(Default)]
struct Diff<'a> {
    needles: Vec<Needle<'a>>,
    views: Vec<(&'a View, &'a View)>,
}

type Scope = (Vec<OldNode>, Vec<NewNode>);

impl<'a> Diff<'a> {
    /// The patch of what stands between markers.
    fn scope(&mut self, old: &'a [Node], new: &'a [Node]) -> Option<Scope> {
        let mut inner = HashMap::new();
        let index = Index::new(old);
        let plan = Plan::make(&index, old, new)?;
        for (&n, run) in &plan.runs {
            let Node::Run(before) = index.nodes[n] else { continue };
            let mut found = Vec::new();
            self.run(before, run, &mut found)?;
            inner.insert(n, found);
        }
        for (n, element) in &plan.dynamic {
            let Node::Element(before) = index.nodes[*n] else { continue };
            for (before, after) in before.dynamic.iter().zip(&element.dynamic) {
                self.views.extend(before.views.iter().zip(&after.views));
            }
        }
        Some((index.write(old, &mut inner), plan.write(&index, new)?))
    }

    /// What differs within a run: among the children of its components, and of components in these.
    fn run(&mut self, old: &'a [Dynamic], new: &'a [Dynamic], found: &mut Vec<Inner>) -> Option<()> {
        for (old, new) in old.iter().zip(new) {
            self.views.extend(old.views.iter().zip(&new.views));
            let (Some(before), Some(after)) = (&old.children, &new.children) else { continue };
            let index = Index::new(&before.nodes);
            let plan = Plan::make(&index, &before.nodes, &after.nodes)?;
            // What stands at the edges stays there, however far it reaches.
            let (lead, trail) = (edge(before.nodes.first()), edge(before.nodes.last()));
            let differs = template::print(&flat(&before.nodes)) != template::print(&flat(&after.nodes));
            if differs {
                if lead != edge(after.nodes.first()) || trail != edge(after.nodes.last()) {
                    return None;
                }
                let ends =
                    [(before.nodes.first(), after.nodes.first()), (before.nodes.last(), after.nodes.last())];
                for (old, new) in ends {
                    if let (Some(old @ Node::Run(_)), Some(new)) = (old, new)
                        && plan.from.get(&std::ptr::from_ref(new)) != Some(&index.number(old))
                    {
                        return None;
                    }
                }
                let nodes = middle(&before.nodes)?;
                let lone_text = matches!(before.nodes.as_slice(), [Node::Text(_)])
                    || matches!(after.nodes.as_slice(), [Node::Text(_)]);
                self.needles.push(Needle { nodes, of: &before.of, lone_text });
                let wanted = plan.write(&index, middle(&after.nodes)?)?;
                let many = before.many;
                found.push(Inner { many, old: index.write(nodes, &mut HashMap::new()), new: wanted });
            }
            for (&n, run) in &plan.runs {
                if let Node::Run(before) = index.nodes[n] {
                    self.run(before, run, found)?;
                }
            }
            for (n, element) in &plan.dynamic {
                let Node::Element(before) = index.nodes[*n] else { continue };
                for (before, after) in before.dynamic.iter().zip(&element.dynamic) {
                    self.views.extend(before.views.iter().zip(&after.views));
                }
            }
        }
        Some(())
    }
}

/// The key of a node at the edge of a component's children, if it is a run.
fn edge(node: Option<&Node>) -> Option<String> {
    match node {
        Some(Node::Run(run)) => Some(template::run_key(run)),
        _ => None,
    }
}

/// Nodes without the runs at their edges; `None` where nothing is left to look for.
fn middle(nodes: &[Node]) -> Option<&[Node]> {
    let mut nodes = nodes;
    if let [Node::Run(_), rest @ ..] = nodes {
        nodes = rest;
    }
    if let [rest @ .., Node::Run(_)] = nodes {
        nodes = rest;
    }
    (!nodes.is_empty()).then_some(nodes)
}

/// Nodes without the children of components in them.
fn flat(nodes: &[Node]) -> Vec<Node> {
    let flat_one = |node: &Node| match node {
        Node::Text(text) => Node::Text(text.clone()),
        Node::Element(element) => Node::Element(Element {
            tag: element.tag.clone(),
            fixed: element.fixed.clone(),
            dynamic: element.dynamic.clone(),
            sealed: element.sealed,
            children: flat(&element.children),
        }),
        Node::Run(run) => Node::Run(
            run.iter()
                .map(|dynamic| Dynamic { children: None, views: Vec::new(), ..dynamic.clone() })
                .collect(),
        ),
    };
    nodes.iter().map(flat_one).collect()
}

/// The nodes of a scope in document order: their places are their numbers.
struct Index<'a> {
    nodes: Vec<&'a Node>,
    numbers: HashMap<*const Node, usize>,
}

impl<'a> Index<'a> {
    fn new(nodes: &'a [Node]) -> Self {
        let mut index = Self { nodes: Vec::new(), numbers: HashMap::new() };
        index.add(nodes);
        index
    }

    fn add(&mut self, nodes: &'a [Node]) {
        for node in nodes {
            self.numbers.insert(node, self.nodes.len());
            self.nodes.push(node);
            if let Node::Element(element) = node {
                self.add(&element.children);
            }
        }
    }

    fn number(&self, node: &Node) -> usize {
        self.numbers.get(&std::ptr::from_ref(node)).copied().unwrap_or(usize::MAX)
    }

    fn write(&self, nodes: &[Node], inner: &mut HashMap<usize, Vec<Inner>>) -> Vec<OldNode> {
        let mut written = Vec::new();
        for node in nodes {
            let n = self.number(node);
            written.push(match node {
                Node::Text(text) => OldNode::Text { n, text: text.clone() },
                Node::Element(element) => {
                    let children = (!element.sealed).then(|| self.write(&element.children, inner));
                    OldNode::Element { n, tag: element.tag.clone(), children }
                }
                Node::Run(_) => OldNode::Run { n, inner: inner.remove(&n).unwrap_or_default() },
            });
        }
        written
    }
}

/// Which old node each new one is.
struct Plan<'a> {
    from: HashMap<*const Node, usize>,
    /// The runs, by the numbers of the old ones.
    runs: BTreeMap<usize, &'a [Dynamic]>,
    /// Elements with attributes that Rust makes, with the numbers of the old ones.
    dynamic: Vec<(usize, &'a Element)>,
    taken: Vec<bool>,
}

impl<'a> Plan<'a> {
    fn make(index: &Index<'a>, old: &'a [Node], new: &'a [Node]) -> Option<Self> {
        if order(old) != order(new) {
            return None;
        }
        let mut plan = Self {
            from: HashMap::new(),
            runs: BTreeMap::new(),
            dynamic: Vec::new(),
            taken: vec![false; index.nodes.len()],
        };
        let mut free: HashMap<String, VecDeque<usize>> = HashMap::new();
        for (n, node) in index.nodes.iter().enumerate() {
            if let Some(key) = key(node) {
                free.entry(key).or_default().push_back(n);
            }
        }
        plan.keep(new, &mut free)?;
        plan.align(index, old, new);
        plan.reuse(index, new);
        Some(plan)
    }

    /// What Rust made must have been there.
    fn keep(&mut self, nodes: &'a [Node], free: &mut HashMap<String, VecDeque<usize>>) -> Option<()> {
        for node in nodes {
            if let Some(key) = key(node) {
                let n = free.get_mut(&key)?.pop_front()?;
                self.take(node, n);
                match node {
                    Node::Run(run) => _ = self.runs.insert(n, run),
                    Node::Element(element) => self.dynamic.push((n, element)),
                    Node::Text(_) => {}
                }
            }
            if let Node::Element(element) = node {
                self.keep(&element.children, free)?;
            }
        }
        Some(())
    }

    fn take(&mut self, node: &Node, n: usize) {
        self.from.insert(node, n);
        if let Some(taken) = self.taken.get_mut(n) {
            *taken = true;
        }
    }

    /// Children of one element: the same ones first, then those of a kind that lie between the same.
    fn align(&mut self, index: &Index<'a>, old: &'a [Node], new: &'a [Node]) {
        let old_prints: Vec<_> = old.iter().map(|node| template::print(std::slice::from_ref(node))).collect();
        let new_prints: Vec<_> = new.iter().map(|node| template::print(std::slice::from_ref(node))).collect();
        let same = common(&old_prints, &new_prints);
        for &(i, j) in &same {
            self.pair(index, &old[i], &new[j]);
        }
        let (mut i, mut j) = (0, 0);
        for (next_i, next_j) in same.into_iter().chain([(old.len(), new.len())]) {
            let mut left: VecDeque<_> = old[i..next_i].iter().collect();
            for node in &new[j..next_j] {
                if let Some(at) = left.iter().position(|old| self.alike(index, old, node))
                    && let Some(old) = left.get(at).copied()
                {
                    left.drain(..=at);
                    self.pair(index, old, node);
                }
            }
            (i, j) = (next_i + 1, next_j + 1);
        }
        // What passed something that stayed.
        for node in new {
            if self.from.contains_key(&std::ptr::from_ref(node)) {
                continue;
            }
            if let Some(old) =
                old.iter().find(|old| !self.taken[index.number(old)] && self.alike(index, old, node))
            {
                self.pair(index, old, node);
            }
        }
        // Elements that Rust has a hand in may have come from anywhere.
        for node in new {
            let Node::Element(element) = node else { continue };
            if element.dynamic.is_empty() {
                continue;
            }
            if let Some(Node::Element(before)) =
                self.from.get(&std::ptr::from_ref(node)).map(|&n| index.nodes[n])
            {
                self.align(index, &before.children, &element.children);
            }
        }
    }

    fn pair(&mut self, index: &Index<'a>, old: &'a Node, new: &'a Node) {
        let n = index.number(old);
        match (old, new) {
            (Node::Text(_), Node::Text(_)) => self.take(new, n),
            (Node::Element(a), Node::Element(b)) if a.dynamic.is_empty() && b.dynamic.is_empty() => {
                self.take(new, n);
                self.align(index, &a.children, &b.children);
            }
            _ => {}
        }
    }

    fn alike(&self, index: &Index<'_>, old: &Node, new: &Node) -> bool {
        match (old, new) {
            (Node::Text(_), Node::Text(_)) => true,
            (Node::Element(a), Node::Element(b)) => {
                a.tag == b.tag
                    && a.dynamic.is_empty()
                    && b.dynamic.is_empty()
                    && !self.taken[index.number(old)]
            }
            _ => false,
        }
    }

    /// What is new where it stands, but was elsewhere, is moved.
    fn reuse(&mut self, index: &Index<'a>, new: &'a [Node]) {
        for node in new {
            let Node::Element(element) = node else { continue };
            if !self.from.contains_key(&std::ptr::from_ref(node)) {
                let wanted = template::print(std::slice::from_ref(node));
                let free = |(n, old): &(usize, &&Node)| {
                    !self.taken[*n]
                        && matches!(old, Node::Element(a) if a.tag == element.tag && a.dynamic.is_empty())
                };
                let found = index
                    .nodes
                    .iter()
                    .enumerate()
                    .filter(free)
                    .find(|(_, old)| template::print(std::slice::from_ref(**old)) == wanted);
                if let Some((_, old)) = found {
                    self.pair(index, old, node);
                    continue;
                }
            }
            self.reuse(index, &element.children);
        }
    }

    fn write(&self, index: &Index<'a>, nodes: &[Node]) -> Option<Vec<NewNode>> {
        let mut written = Vec::new();
        for node in nodes {
            let n = self.from.get(&std::ptr::from_ref(node)).copied();
            written.push(match node {
                Node::Text(text) => NewNode::Text { n, text: text.clone() },
                Node::Run(_) => NewNode::Run { run: n? },
                Node::Element(element) => {
                    let before = match n.map(|n| index.nodes[n]) {
                        Some(Node::Element(before)) => Some(before),
                        _ => None,
                    };
                    let (set, remove, class) = attributes(before, element)?;
                    let children = match element.sealed {
                        true => None,
                        false => Some(self.write(index, &element.children)?),
                    };
                    NewNode::Element { n, tag: element.tag.clone(), set, remove, class, children }
                }
            });
        }
        Some(written)
    }
}

type Attributes = (BTreeMap<String, String>, Vec<String>, Option<(String, String)>);

/// What changes of the attributes that the source tells; `None` where others get in the way.
fn attributes(old: Option<&Element>, new: &Element) -> Option<Attributes> {
    let Some(old) = old else { return Some((new.fixed.clone(), Vec::new(), None)) };
    let (mut set, mut remove, mut class) = (BTreeMap::new(), Vec::new(), None);
    if old.fixed == new.fixed {
        return Some((set, remove, class));
    }
    let dynamic =
        |name: &'static str| new.dynamic.iter().filter(move |attribute| attribute.name.starts_with(name));
    // A spread may give any attribute.
    if new.sealed && !new.dynamic.iter().any(|a| a.name == "inner_html")
        || new.dynamic.iter().any(|a| a.name.is_empty())
    {
        return None;
    }
    let names: std::collections::BTreeSet<_> = old.fixed.keys().chain(new.fixed.keys()).collect();
    for name in names {
        let (before, after) = (old.fixed.get(name), new.fixed.get(name));
        if before == after {
            continue;
        }
        match name.as_str() {
            "style" if dynamic("style").next().is_some() => return None,
            "class" if dynamic("class").next().is_some() => {
                let (before, after) = (before?, after?);
                let own = |name: &str| {
                    before.split_whitespace().chain(after.split_whitespace()).any(|own| own == name)
                };
                // `class:name` alone says which it is.
                if dynamic("class").any(|a| a.name.strip_prefix("class:").is_none_or(own)) {
                    return None;
                }
                class = Some((before.clone(), after.clone()));
            }
            "class" if before.is_some() && after.is_some() => class = before.cloned().zip(after.cloned()),
            // The browser keeps what it was told by a property.
            _ if dynamic("bind:").chain(dynamic("prop:")).any(|a| a.name.ends_with(&format!(":{name}"))) => {
                return None;
            }
            _ => match after {
                Some(value) => _ = set.insert(name.clone(), value.clone()),
                None => remove.push(name.clone()),
            },
        }
    }
    Some((set, remove, class))
}

/// What makes a node that Rust has a hand in the one that it is.
fn key(node: &Node) -> Option<String> {
    match node {
        Node::Text(_) => None,
        Node::Element(element) => element.key(),
        Node::Run(run) => Some(template::run_key(run)),
    }
}

/// What is evaluated and may be seen elsewhere, in its order.
fn order(nodes: &[Node]) -> Vec<String> {
    let mut units = Vec::new();
    for node in nodes {
        let pure = match node {
            Node::Text(_) => continue,
            Node::Element(element) => {
                units.extend(order(&element.children));
                element.pure()
            }
            Node::Run(run) => template::run_pure(run),
        };
        units.extend(key(node).filter(|_| !pure));
    }
    units
}

/// The longest common subsequence of two lists, as places in both.
fn common(a: &[String], b: &[String]) -> Vec<(usize, usize)> {
    let start = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let rest = a.len().min(b.len()) - start;
    let end = a.iter().rev().zip(b.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let (x, y) = (&a[start..a.len() - end], &b[start..b.len() - end]);
    let mut found: Vec<_> = (0..start).map(|i| (i, i)).collect();
    // Thousands of children of one element, all changed: what was what is not worth the search.
    if x.len() * y.len() <= 1 << 20 {
        let mut best = vec![vec![0_u32; y.len() + 1]; x.len() + 1];
        for i in (0..x.len()).rev() {
            for j in (0..y.len()).rev() {
                best[i][j] =
                    if x[i] == y[j] { best[i + 1][j + 1] + 1 } else { best[i + 1][j].max(best[i][j + 1]) };
            }
        }
        let (mut i, mut j) = (0, 0);
        while i < x.len() && j < y.len() {
            if x[i] == y[j] {
                found.push((start + i, start + j));
                (i, j) = (i + 1, j + 1);
            } else if best[i + 1][j] >= best[i][j + 1] {
                i += 1;
            } else {
                j += 1;
            }
        }
    }
    found.extend((0..end).map(|k| (a.len() - end + k, b.len() - end + k)));
    found
}

/// In how many places of `nodes`, and of what is within, these might be found.
pub(super) fn occurrences(needle: &[Node], nodes: &[Node]) -> usize {
    let mut count = nodes.windows(needle.len().max(1)).filter(|window| could_be(needle, window)).count();
    for node in nodes {
        count += match node {
            Node::Text(_) => 0,
            Node::Element(element) => occurrences(needle, &element.children),
            Node::Run(run) => run
                .iter()
                .filter_map(|d| d.children.as_ref())
                .map(|children| occurrences(needle, &children.nodes))
                .sum(),
        };
    }
    count
}

/// Whether the sources tell of `b` what they tell of `a`.
fn could_be(a: &[Node], b: &[Node]) -> bool {
    match (a, b) {
        ([Node::Run(_), ..], _) => true,
        ([a, rest_a @ ..], [b, rest_b @ ..]) => {
            let one = match (a, b) {
                (Node::Text(a), Node::Text(b)) => a == b,
                (Node::Element(a), Node::Element(b)) => a.tag == b.tag && could_be(&a.children, &b.children),
                _ => false,
            };
            one && could_be(rest_a, rest_b)
        }
        ([], []) => true,
        _ => false,
    }
}
