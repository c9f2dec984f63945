//! The browser's part of a patch, in Rust: a page as the parser of a browser makes it of what Leptos writes, and what
//! `patch.js` does to it. It reads the JSON that the browser reads.

#![allow(dead_code, reason = "each test uses a part")]

use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};

/// The name of a node: the same as long as it is the same node.
pub type Id = usize;

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Text(String),
    Comment(String),
    Element { tag: String, attributes: BTreeMap<String, String>, children: Vec<Id> },
}

/// A page.
#[derive(Debug, Clone, Default)]
pub struct Page {
    pub nodes: Vec<Kind>,
    pub root: Vec<Id>,
    versions: HashMap<Id, String>,
}

const VOID: &[&str] =
    &["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"];
const RAW: &[&str] = &["script", "style"];

impl Page {
    /// Reads what Leptos writes: every element is closed, every value quoted.
    pub fn parse(html: &str) -> Self {
        let mut page = Self::default();
        let mut rest = html;
        page.root = page.parse_nodes(&mut rest, "");
        assert_eq!(rest, "");
        page
    }

    fn add(&mut self, kind: Kind) -> Id {
        self.nodes.push(kind);
        self.nodes.len() - 1
    }

    fn parse_nodes(&mut self, rest: &mut &str, parent: &str) -> Vec<Id> {
        let mut nodes = Vec::new();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix("</") {
                let end = after.find('>').unwrap();
                assert_eq!(&after[..end], parent);
                *rest = &after[end + 1..];
                return nodes;
            }
            if let Some(after) = rest.strip_prefix("<!>") {
                nodes.push(self.add(Kind::Comment(String::new())));
                *rest = after;
            } else if let Some(after) = rest.strip_prefix("<!--") {
                let end = after.find("-->").unwrap();
                nodes.push(self.add(Kind::Comment(after[..end].to_owned())));
                *rest = &after[end + 3..];
            } else if let Some(after) = rest.strip_prefix('<') {
                *rest = after;
                nodes.push(self.parse_element(rest));
            } else {
                let end = rest.find('<').unwrap_or(rest.len());
                let text = unescape(&rest[..end]);
                nodes.push(self.add(Kind::Text(text)));
                *rest = &rest[end..];
            }
        }
        assert_eq!(parent, "", "not closed");
        nodes
    }

    fn parse_element(&mut self, rest: &mut &str) -> Id {
        let end = rest.find([' ', '>']).unwrap();
        let tag = rest[..end].to_owned();
        *rest = &rest[end..];
        let mut attributes = BTreeMap::new();
        loop {
            *rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix('>') {
                *rest = after;
                break;
            }
            let end = rest.find([' ', '>', '=']).unwrap();
            let name = rest[..end].to_owned();
            *rest = &rest[end..];
            let mut value = String::new();
            if let Some(after) = rest.strip_prefix("=\"") {
                let end = after.find('"').unwrap();
                value = unescape(&after[..end]);
                *rest = &after[end + 1..];
            }
            attributes.insert(name, value);
        }
        let children = if VOID.contains(&tag.as_str()) {
            Vec::new()
        } else if RAW.contains(&tag.as_str()) {
            let close = format!("</{tag}>");
            let end = rest.find(&close).unwrap();
            let text = rest[..end].to_owned();
            *rest = &rest[end + close.len()..];
            vec![self.add(Kind::Text(text))]
        } else {
            self.parse_nodes(rest, &tag)
        };
        self.add(Kind::Element { tag, attributes, children })
    }

    /// What is seen: without comments, and with texts that touch as one.
    pub fn seen(&self) -> String {
        let mut html = String::new();
        self.write(&self.root, &mut html);
        html
    }

    fn write(&self, nodes: &[Id], html: &mut String) {
        for &id in nodes {
            match &self.nodes[id] {
                Kind::Comment(_) => {}
                Kind::Text(text) => html.push_str(&text.replace('&', "&amp;").replace('<', "&lt;")),
                Kind::Element { tag, attributes, children } => {
                    html.push_str(&format!("<{tag}"));
                    for (name, value) in attributes {
                        html.push_str(&format!(" {name}={value:?}"));
                    }
                    html.push('>');
                    self.write(children, html);
                    html.push_str(&format!("</{tag}>"));
                }
            }
        }
    }

    /// The nodes of elements with this name, in order.
    pub fn elements(&self, name: &str) -> Vec<Id> {
        let mut found = Vec::new();
        self.find(&self.root, name, &mut found);
        found
    }

    fn find(&self, nodes: &[Id], name: &str, found: &mut Vec<Id>) {
        for &id in nodes {
            if let Kind::Element { tag, children, .. } = &self.nodes[id] {
                if tag == name {
                    found.push(id);
                }
                self.find(children, name, found);
            }
        }
    }

    fn children(&self, parent: Option<Id>) -> &Vec<Id> {
        match parent {
            None => &self.root,
            Some(id) => match &self.nodes[id] {
                Kind::Element { children, .. } => children,
                _ => panic!("no element"),
            },
        }
    }

    fn children_mut(&mut self, parent: Option<Id>) -> &mut Vec<Id> {
        match parent {
            None => &mut self.root,
            Some(id) => match &mut self.nodes[id] {
                Kind::Element { children, .. } => children,
                _ => panic!("no element"),
            },
        }
    }

    fn marker(&self, id: Id, end: &str) -> Option<&str> {
        match &self.nodes[id] {
            Kind::Comment(text) => text.strip_prefix("hot-reload|")?.strip_suffix(end)?.strip_suffix('|'),
            _ => None,
        }
    }

    /// The places of a view: the element around it, and its two markers.
    pub fn instances(&self, view: &str) -> Vec<(Option<Id>, Id, Id)> {
        let mut found = Vec::new();
        self.instances_in(None, view, &mut found);
        found
    }

    fn instances_in(&self, parent: Option<Id>, view: &str, found: &mut Vec<(Option<Id>, Id, Id)>) {
        let children = self.children(parent);
        for (at, &id) in children.iter().enumerate() {
            if self.marker(id, "open") == Some(view) {
                let mut depth = 0;
                for &other in &children[at..] {
                    depth += i32::from(self.marker(other, "open") == Some(view));
                    depth -= i32::from(self.marker(other, "close") == Some(view));
                    if depth == 0 {
                        found.push((parent, id, other));
                        break;
                    }
                }
            }
            if matches!(self.nodes[id], Kind::Element { .. }) {
                self.instances_in(Some(id), view, found);
            }
        }
    }

    /// Applies a patch to each place of its view. The number of places; an error where one does not fit.
    pub fn apply(&mut self, patch: &Value) -> Result<usize, String> {
        let places = self.instances(patch["id"].as_str().unwrap());
        for &(_, open, close) in &places {
            let shown =
                self.versions.get(&open).map_or_else(|| patch["base"].as_str().unwrap(), String::as_str);
            if shown == patch["to"].as_str().unwrap() {
                continue;
            }
            if shown != patch["from"].as_str().unwrap() {
                return Err(format!("shows {shown}"));
            }
            // A place within another may have moved with it.
            let parent = self.parent_of(Some(open));
            let children = self.children(parent);
            let from = children.iter().position(|&id| id == open).unwrap() + 1;
            let to = children.iter().position(|&id| id == close).unwrap();
            let nodes = children[from..to].to_vec();
            let fit = self.fit(patch["old"].as_array().unwrap(), &nodes)?;
            let inner = self.find_inner(patch["old"].as_array().unwrap(), &fit)?;
            for (parent, nodes, fit, new) in inner {
                let list = self.children(parent);
                let at = list.iter().position(|id| *id == nodes[0]).unwrap();
                let after = at.checked_sub(1).map(|at| list[at]);
                self.build(parent, after, &nodes, &fit, &new);
            }
            self.build(parent, Some(open), &nodes, &fit, patch["new"].as_array().unwrap());
            self.versions.insert(open, patch["to"].as_str().unwrap().to_owned());
        }
        Ok(places.len())
    }

    /// Nodes that count, with what stands between markers as one.
    fn units(&self, nodes: &[Id]) -> Result<Vec<(usize, usize)>, String> {
        let mut units = Vec::new();
        let mut at = 0;
        while at < nodes.len() {
            if let Kind::Comment(text) = &self.nodes[nodes[at]] {
                if text.starts_with("hot-reload|") {
                    let mut depth = 0;
                    let mut end = at;
                    loop {
                        let Some(&id) = nodes.get(end) else {
                            return Err("a marker without its end".to_owned());
                        };
                        depth += i32::from(self.marker(id, "open").is_some());
                        depth -= i32::from(self.marker(id, "close").is_some());
                        end += 1;
                        if depth == 0 {
                            break;
                        }
                    }
                    units.push((at, end));
                    at = end;
                    continue;
                }
                if !text.is_empty() && text != "<() />" {
                    units.push((at, at + 1));
                }
            } else {
                units.push((at, at + 1));
            }
            at += 1;
        }
        Ok(units)
    }

    /// Which nodes the old ones are, if there is one way alone.
    fn fit(&self, old: &[Value], nodes: &[Id]) -> Result<HashMap<u64, Vec<Id>>, String> {
        let units = self.units(nodes)?;
        let m = old.len();
        let n = units.len();
        let is_run = |i: usize| old[i].get("inner").is_some();
        let mut fits = HashMap::new();
        // ways[i][j]: in how many ways old[i..] is units[j..].
        let mut ways = vec![vec![0_u32; n + 1]; m + 1];
        ways[m][n] = 1;
        for i in (0..m).rev() {
            for j in (0..=n).rev() {
                ways[i][j] = if is_run(i) {
                    (ways[i + 1][j] + if j < n { ways[i][j + 1] } else { 0 }).min(2)
                } else if j < n && ways[i + 1][j + 1] > 0 && units[j].1 == units[j].0 + 1 {
                    let id = nodes[units[j].0];
                    match self.fit_one(&old[i], id) {
                        Ok(fit) => {
                            fits.insert((i, j), fit);
                            ways[i + 1][j + 1]
                        }
                        Err(error) if error.starts_with("ambiguous") => return Err(error),
                        Err(_) => 0,
                    }
                } else {
                    0
                };
            }
        }
        match ways[0][0] {
            0 => return Err(format!("does not fit: {old:?}")),
            1 => {}
            _ => return Err("ambiguous".to_owned()),
        }
        let mut found = HashMap::new();
        let (mut j, mut before) = (0, 0);
        for i in 0..m {
            if is_run(i) {
                let from = before;
                while ways[i + 1][j] == 0 {
                    j += 1;
                }
                let to = if i + 1 == m { nodes.len() } else { units[j].0 };
                found.insert(old[i]["n"].as_u64().unwrap(), nodes[from..to].to_vec());
                before = to;
            } else {
                found.extend(fits.remove(&(i, j)).unwrap());
                before = units[j].1;
                j += 1;
            }
        }
        Ok(found)
    }

    fn fit_one(&self, old: &Value, id: Id) -> Result<HashMap<u64, Vec<Id>>, String> {
        let n = old["n"].as_u64().unwrap();
        match &self.nodes[id] {
            Kind::Text(text) if old.get("text").and_then(Value::as_str) == Some(text) => {
                Ok(HashMap::from([(n, vec![id])]))
            }
            Kind::Element { tag, children, .. } if old.get("tag").and_then(Value::as_str) == Some(tag) => {
                let mut fit = match old.get("children").and_then(Value::as_array) {
                    Some(old) => self.fit(old, children)?,
                    None => HashMap::new(),
                };
                fit.insert(n, vec![id]);
                Ok(fit)
            }
            _ => Err("another".to_owned()),
        }
    }

    #[allow(clippy::type_complexity, reason = "one place each: around, nodes, which is which, what is to be")]
    fn find_inner(
        &self,
        old: &[Value],
        fit: &HashMap<u64, Vec<Id>>,
    ) -> Result<Vec<(Option<Id>, Vec<Id>, HashMap<u64, Vec<Id>>, Vec<Value>)>, String> {
        let mut found = Vec::new();
        for node in old {
            for inner in node.get("inner").and_then(Value::as_array).into_iter().flatten() {
                let wanted = inner["old"].as_array().unwrap();
                let mut places = Vec::new();
                let nodes = &fit[&node["n"].as_u64().unwrap()];
                self.search(self.parent_of(nodes.first().copied()), nodes, wanted, &mut places)?;
                if places.is_empty() || places.len() > 1 && !inner["many"].as_bool().unwrap() {
                    return Err(format!("{} places for {wanted:?}", places.len()));
                }
                for (parent, nodes, fit) in places {
                    found.push((parent, nodes, fit, inner["new"].as_array().unwrap().clone()));
                }
            }
            if let Some(children) = node.get("children").and_then(Value::as_array) {
                found.extend(self.find_inner(children, fit)?);
            }
        }
        Ok(found)
    }

    fn parent_of(&self, node: Option<Id>) -> Option<Id> {
        let node = node?;
        self.nodes
            .iter()
            .position(|kind| matches!(kind, Kind::Element { children, .. } if children.contains(&node)))
    }

    #[allow(clippy::type_complexity, reason = "one place each: around, nodes, which is which")]
    fn search(
        &self,
        parent: Option<Id>,
        nodes: &[Id],
        wanted: &[Value],
        found: &mut Vec<(Option<Id>, Vec<Id>, HashMap<u64, Vec<Id>>)>,
    ) -> Result<(), String> {
        let units = self.units(nodes)?;
        for a in 0..units.len() {
            for b in a + 1..=units.len() {
                let part = &nodes[units[a].0..units[b - 1].1];
                match self.fit(wanted, part) {
                    Ok(fit) => found.push((parent, part.to_vec(), fit)),
                    Err(error) if error.starts_with("ambiguous") => return Err(error),
                    Err(_) => {}
                }
            }
        }
        for &(from, to) in &units {
            if to > from + 1 {
                self.search(parent, &nodes[from + 1..to - 1], wanted, found)?;
            } else if let Kind::Element { children, .. } = &self.nodes[nodes[from]] {
                self.search(Some(nodes[from]), &children.clone(), wanted, found)?;
            }
        }
        Ok(())
    }

    /// Makes `nodes`, which stand in `parent` behind `after`, the new ones.
    fn build(
        &mut self,
        parent: Option<Id>,
        after: Option<Id>,
        nodes: &[Id],
        fit: &HashMap<u64, Vec<Id>>,
        new: &[Value],
    ) {
        let mut numbers = HashSet::new();
        used(new, &mut numbers);
        let kept: HashSet<Id> = numbers.iter().flat_map(|n| fit[n].clone()).collect();
        self.place(parent, after, nodes, fit, new, &kept);
    }

    fn place(
        &mut self,
        parent: Option<Id>,
        after: Option<Id>,
        old: &[Id],
        fit: &HashMap<u64, Vec<Id>>,
        new: &[Value],
        kept: &HashSet<Id>,
    ) {
        let mut wanted = Vec::new();
        let mut elements = Vec::new();
        for node in new {
            if let Some(run) = node.get("run").and_then(Value::as_u64) {
                wanted.extend(fit[&run].clone());
                continue;
            }
            let before = node.get("n").and_then(Value::as_u64).map(|n| fit[&n][0]);
            let id = match (before, node.get("tag").and_then(Value::as_str)) {
                (Some(id), _) => id,
                (None, None) => self.add(Kind::Text(String::new())),
                (None, Some(tag)) => {
                    let tag = tag.to_owned();
                    self.add(Kind::Element { tag, attributes: BTreeMap::new(), children: Vec::new() })
                }
            };
            wanted.push(id);
            elements.push((node, id));
            if let Some(text) = node.get("text").and_then(Value::as_str) {
                self.nodes[id] = Kind::Text(text.to_owned());
            }
            self.set_attributes(id, node);
        }
        for kind in &mut self.nodes {
            if let Kind::Element { children, .. } = kind {
                children.retain(|id| !wanted.contains(id));
            }
        }
        self.root.retain(|id| !wanted.contains(id));
        // Comments stay, since some are places that Rust remembers; so does what is to be placed elsewhere later.
        let goes: Vec<_> = old
            .iter()
            .filter(|id| !kept.contains(id) && !matches!(self.nodes[**id], Kind::Comment(_)))
            .copied()
            .collect();
        let list = self.children_mut(parent);
        list.retain(|id| !goes.contains(id));
        let at = after.map_or(0, |after| list.iter().position(|id| *id == after).unwrap() + 1);
        for (k, id) in wanted.iter().enumerate() {
            list.insert(at + k, *id);
        }
        for (node, id) in elements {
            if let Some(children) = node.get("children").and_then(Value::as_array) {
                let old = self.children(Some(id)).clone();
                self.place(Some(id), None, &old, fit, children, kept);
            }
        }
    }

    fn set_attributes(&mut self, id: Id, node: &Value) {
        let Kind::Element { attributes, .. } = &mut self.nodes[id] else { return };
        for (name, value) in node.get("set").and_then(Value::as_object).into_iter().flatten() {
            attributes.insert(name.clone(), value.as_str().unwrap().to_owned());
        }
        for name in node.get("remove").and_then(Value::as_array).into_iter().flatten() {
            attributes.remove(name.as_str().unwrap());
        }
        if let Some(class) = node.get("class").and_then(Value::as_array) {
            let (before, after) = (class[0].as_str().unwrap(), class[1].as_str().unwrap());
            let present = attributes.get("class").cloned().unwrap_or_default();
            let value = if present == before {
                after.to_owned()
            } else {
                let own: Vec<_> = before.split_whitespace().chain(after.split_whitespace()).collect();
                let others = present.split_whitespace().filter(|name| !own.contains(name));
                after.split_whitespace().chain(others).collect::<Vec<_>>().join(" ")
            };
            attributes.insert("class".to_owned(), value);
        }
    }
}

fn used(new: &[Value], numbers: &mut HashSet<u64>) {
    for node in new {
        numbers.extend(node.get("n").and_then(Value::as_u64));
        numbers.extend(node.get("run").and_then(Value::as_u64));
        used(node.get("children").and_then(Value::as_array).map_or(&[], Vec::as_slice), numbers);
    }
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#x27;", "'")
        .replace("&amp;", "&")
}
