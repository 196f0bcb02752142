//! The best so many of any number, in little memory.

use std::cmp::Ordering;

/// Keeps the least items by an order that is given with each use.
pub(crate) struct Top<T> {
    kept: Vec<T>,
    limit: usize,
    /// The worst that was kept when there were enough: what is not better is not taken.
    bar: Option<T>,
}

impl<T: Clone> Top<T> {
    /// For the best `limit`.
    pub(crate) const fn new(limit: usize) -> Self {
        Self { kept: Vec::new(), limit, bar: None }
    }

    /// Takes an item in, if it is among the best so far.
    pub(crate) fn offer(&mut self, item: T, order: &mut impl FnMut(&T, &T) -> Ordering) {
        if self.bar.as_ref().is_some_and(|bar| order(&item, bar).is_ge()) {
            return;
        }
        self.kept.push(item);
        // Thinned out when there are twice too many, so that each item costs a constant time.
        if self.kept.len() >= 2 * self.limit.max(1) {
            self.thin(order);
        }
    }

    fn thin(&mut self, order: &mut impl FnMut(&T, &T) -> Ordering) {
        if self.kept.len() > self.limit && self.limit > 0 {
            self.kept.select_nth_unstable_by(self.limit - 1, &mut *order);
            self.kept.truncate(self.limit);
            self.bar = self.kept.last().cloned();
        }
    }

    /// The best, best first.
    pub(crate) fn into_sorted(mut self, order: &mut impl FnMut(&T, &T) -> Ordering) -> Vec<T> {
        self.thin(order);
        self.kept.sort_by(order);
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_the_head_of_the_sorted_list(items in prop::collection::vec(0u8..40, 0..200), limit in 1usize..30) {
            let mut top = Top::new(limit);
            for item in &items {
                top.offer(*item, &mut Ord::cmp);
            }
            let mut sorted = items;
            sorted.sort_unstable();
            sorted.truncate(limit);
            prop_assert_eq!(top.into_sorted(&mut Ord::cmp), sorted);
        }
    }
}
