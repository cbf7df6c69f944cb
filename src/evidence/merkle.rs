//! A Merkle tree over lines, computed while they pass: the shape and the domain separation of RFC 6962 section 2.1.
//!
//! A leaf is SHA-256 over `0x00` and the line, an inner node SHA-256 over `0x01` and both children, the root of nothing SHA-256 of nothing.
//! A second preimage by passing a node off as a leaf is therefore not possible. Memory: one hash per level.

use sha2::{Digest as _, Sha256};

/// A SHA-256 value.
pub type Hash = [u8; 32];

/// The hash of a leaf.
pub fn leaf(data: &[u8]) -> Hash {
    let mut hash = Sha256::new();
    hash.update([0]);
    hash.update(data);
    hash.finalize().into()
}

/// The hash of an inner node.
pub fn node(left: &Hash, right: &Hash) -> Hash {
    let mut hash = Sha256::new();
    hash.update([1]);
    hash.update(left);
    hash.update(right);
    hash.finalize().into()
}

/// One step of a proof, from the leaf up: the sibling, and on which side it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// True where the sibling is the left child.
    pub left: bool,
    /// The sibling.
    pub hash: Hash,
}

/// A subtree that is complete.
#[derive(Clone, Copy, Debug)]
struct Subtree {
    hash: Hash,
    /// It has 2^height leaves.
    height: u32,
    /// True where the leaf to be proven is inside.
    watched: bool,
}

/// The tree so far.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    stack: Vec<Subtree>,
    leaves: u64,
    path: Vec<Step>,
}

impl Tree {
    /// Takes one leaf in. `watched` asks for the proof of this one; ask for one leaf at most.
    pub fn push(&mut self, data: &[u8], watched: bool) {
        self.leaves += 1;
        let mut tree = Subtree {
            hash: leaf(data),
            height: 0,
            watched,
        };
        while let Some(left) = self.stack.pop_if(|left| left.height == tree.height) {
            tree = self.join(left, tree);
        }
        self.stack.push(tree);
    }

    fn join(&mut self, left: Subtree, right: Subtree) -> Subtree {
        if left.watched || right.watched {
            self.path.push(Step {
                left: right.watched,
                hash: if right.watched { left.hash } else { right.hash },
            });
        }
        Subtree {
            hash: node(&left.hash, &right.hash),
            height: right.height + 1,
            watched: left.watched || right.watched,
        }
    }

    /// How many leaves there are.
    pub fn leaves(&self) -> u64 {
        self.leaves
    }

    /// The root, and the proof of the watched leaf (empty without one).
    pub fn finish(mut self) -> (Hash, Vec<Step>) {
        let Some(mut tree) = self.stack.pop() else {
            return (Sha256::digest([]).into(), Vec::new());
        };
        while let Some(left) = self.stack.pop() {
            tree = self.join(left, tree);
        }
        (tree.hash, self.path)
    }
}

/// The root that follows from a leaf and its proof.
pub fn root_of(data: &[u8], path: &[Step]) -> Hash {
    path.iter().fold(leaf(data), |hash, step| {
        if step.left {
            node(&step.hash, &hash)
        } else {
            node(&hash, &step.hash)
        }
    })
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
            write!(out, "{byte:02x}").expect("a string grows");
            out
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 6962 section 2.1, as it stands there: split at the largest power of two below n.
    fn by_definition(leaves: &[Vec<u8>]) -> Hash {
        match leaves {
            [] => Sha256::digest([]).into(),
            [one] => leaf(one),
            many => {
                let mut k = 1;
                while k * 2 < many.len() {
                    k *= 2;
                }
                node(&by_definition(&many[..k]), &by_definition(&many[k..]))
            }
        }
    }

    fn tree_of(leaves: &[Vec<u8>], watched: Option<usize>) -> (Hash, Vec<Step>) {
        let mut tree = Tree::default();
        for (at, data) in leaves.iter().enumerate() {
            tree.push(data, watched == Some(at));
        }
        tree.finish()
    }

    #[test]
    fn the_published_roots_of_certificate_transparency_come_out() {
        let leaves: Vec<Vec<u8>> = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ]
        .iter()
        .map(|text| {
            (0..text.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
                .collect()
        })
        .collect();
        for (n, root) in [
            (
                0,
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            ),
            (
                1,
                "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            ),
            (
                8,
                "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
            ),
        ] {
            assert_eq!(hex(&tree_of(&leaves[..n], None).0), root, "{n} leaves");
        }
    }

    proptest! {
        #[test]
        fn the_tree_is_that_of_the_definition_and_every_leaf_has_a_proof(
            leaves in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..4), 1..40), pick in any::<usize>(),
        ) {
            let at = pick % leaves.len();
            let (root, path) = tree_of(&leaves, Some(at));
            prop_assert_eq!(root, by_definition(&leaves));
            prop_assert_eq!(root_of(&leaves[at], &path), root);
            let mut other = leaves[at].clone();
            other.push(7);
            prop_assert_ne!(root_of(&other, &path), root);
        }
    }
}
