//! Which mailbox begins first: the one that will take longest, so that the night does not end with one long mailbox alone.

use crate::base::quantity::{Bytes, Count};
use crate::base::spec::RunLimits;

/// What is left of a mailbox, as far as anybody knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Items still to be carried.
    pub items: Count,
    /// Their bytes; zero where only items were counted.
    pub bytes: Bytes,
}

/// The positions of `left`, longest first; equal ones, and those nobody knows anything about, in their own order.
pub fn longest_first(left: &[Left], limits: &RunLimits) -> Vec<usize> {
    let mut order: Vec<usize> = (0..left.len()).collect();
    // A stable sort: what weighs the same keeps the order of the plan.
    order.sort_by_key(|at| std::cmp::Reverse(millis(&left[*at], limits)));
    order
}

/// How long it takes at the pace of the target, in milliseconds: whichever of bytes and requests takes longer.
fn millis(left: &Left, limits: &RunLimits) -> u64 {
    use crate::base::limits::{
        GRAPH_REQUEST_WINDOW, GRAPH_REQUESTS_PER_WINDOW, GRAPH_UPLOAD_PER_WINDOW,
        GRAPH_UPLOAD_WINDOW,
    };
    let upload = limits
        .target_upload_per_window
        .unwrap_or(GRAPH_UPLOAD_PER_WINDOW);
    let requests = limits
        .target_requests_per_window
        .unwrap_or(GRAPH_REQUESTS_PER_WINDOW);
    // Streams travel as base64: four bytes for three.
    let wire = u128::from(left.bytes.get()) * 4 / 3;
    let by_bytes = wire * u128::from(GRAPH_UPLOAD_WINDOW.get()) / u128::from(upload.get().max(1));
    let by_calls = u128::from(left.items.get()) * u128::from(GRAPH_REQUEST_WINDOW.get())
        / u128::from(requests.get().max(1));
    u64::try_from(by_bytes.max(by_calls)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(items: u64, bytes: u64) -> Left {
        Left {
            items: Count::new(items),
            bytes: Bytes::new(bytes),
        }
    }

    #[test]
    fn the_longest_begins_whether_bytes_or_items_make_it_long() {
        // 5 GB take 3.7 h; 300,000 small items take 5 h; the rest is short.
        let all = [
            left(1_000, 10_000_000),
            left(5_000, 5_000_000_000),
            left(0, 0),
            left(300_000, 1_000_000_000),
            left(1_000, 10_000_000),
        ];
        let order = longest_first(&all, &RunLimits::default());
        assert_eq!(order, [3, 1, 0, 4, 2]);
    }
}
