//! A tree of path segments, compared without regard to letter case. Planted once, then only read: one table holds the
//! steps of all nodes, so that a step costs the same in a small tree and in a large one. Knows nothing of routes.

use std::collections::HashMap;

/// The tree. [`Tree::freeze`] comes after the last [`Tree::plant`] and before the first [`Tree::child`].
#[derive(Debug)]
pub(super) struct Tree<T> {
    nodes: Vec<Node<T>>,
    /// Who is below whom, while the tree grows.
    growing: HashMap<(u32, Box<str>), u32>,
    /// The same as an open table: a node's number, or nothing. Its size is a power of two, and half of it at least is
    /// empty, so that every search ends.
    steps: Box<[u32]>,
}

/// A path, and what stands there.
#[derive(Debug)]
pub(super) struct Node<T> {
    number: u32,
    parent: u32,
    segment: Box<str>,
    values: Vec<T>,
}

const NOTHING: u32 = u32::MAX;

impl<T> Default for Tree<T> {
    fn default() -> Self {
        let root = Node { number: 0, parent: NOTHING, segment: "".into(), values: Vec::new() };
        Self { nodes: vec![root], growing: HashMap::new(), steps: Box::new([NOTHING]) }
    }
}

impl<T> Node<T> {
    /// What stands here.
    pub(super) fn values(&self) -> std::slice::Iter<'_, T> {
        self.values.iter()
    }

    /// Whether something like that stands here.
    pub(super) fn holds(&self, is_such: impl Fn(&T) -> bool) -> bool {
        self.values.iter().any(is_such)
    }
}

impl<T> Tree<T> {
    /// The number of the node for these segments, made if there is none.
    pub(super) fn plant<'s>(&mut self, segments: impl Iterator<Item = &'s str>) -> u32 {
        segments.fold(0, |parent, segment| {
            let segment: Box<str> = segment.to_ascii_lowercase().into();
            let next = u32::try_from(self.nodes.len()).expect("fewer than four thousand million segments");
            *self.growing.entry((parent, segment)).or_insert_with_key(|(parent, segment)| {
                let (parent, segment) = (*parent, segment.clone());
                self.nodes.push(Node { number: next, parent, segment, values: Vec::new() });
                next
            })
        })
    }

    /// The value like that at a node, made if there is none.
    pub(super) fn value(&mut self, node: u32, is_it: impl Fn(&T) -> bool, new: impl FnOnce() -> T) -> &mut T {
        let values = &mut self.nodes[node as usize].values;
        let position = values.iter().position(is_it).unwrap_or_else(|| {
            values.push(new());
            values.len() - 1
        });
        &mut values[position]
    }

    /// Makes the tree ready to be read.
    pub(super) fn freeze(&mut self) {
        self.growing = HashMap::new();
        self.steps = vec![NOTHING; (2 * self.nodes.len()).next_power_of_two()].into();
        for node in &self.nodes[1..] {
            let mut at = self.start(node.parent, &node.segment);
            while self.steps[at] != NOTHING {
                at = (at + 1) & (self.steps.len() - 1);
            }
            self.steps[at] = node.number;
        }
    }

    /// Where paths begin.
    pub(super) fn root(&self) -> &Node<T> {
        &self.nodes[0]
    }

    /// The node one segment further.
    pub(super) fn child(&self, parent: &Node<T>, segment: &str) -> Option<&Node<T>> {
        let mut at = self.start(parent.number, segment);
        loop {
            // The empty place is no node's number.
            let node = self.nodes.get(self.steps[at] as usize)?;
            if node.parent == parent.number && node.segment.eq_ignore_ascii_case(segment) {
                return Some(node);
            }
            at = (at + 1) & (self.steps.len() - 1);
        }
    }

    /// Where the search for a step begins: FNV-1a over the letters in lower case. Strangers choose what is looked up, but
    /// not what is in the table, so that it needs no secret.
    fn start(&self, parent: u32, segment: &str) -> usize {
        let seed = 0xcbf2_9ce4_8422_2325 ^ u64::from(parent).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let hash = segment.bytes().fold(seed, |hash, byte| {
            (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3)
        });
        let mixed = hash ^ (hash >> 32);
        usize::try_from(mixed & (self.steps.len() as u64 - 1)).unwrap_or(0)
    }

    /// How many nodes a search looks at, at most: what the cost of a step depends on.
    #[cfg(test)]
    pub(super) fn longest_search(&self) -> usize {
        self.steps.split(|step| *step == NOTHING).map(<[u32]>::len).max().unwrap_or(0)
    }

    /// How many nodes there are.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.nodes.len()
    }
}
