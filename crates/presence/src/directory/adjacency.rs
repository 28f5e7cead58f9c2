//! Many short lists in two arrays.

/// A list for each of many items, all in one array: the list of item `t` is
/// `all[at[t]..at[t + 1]]`.
#[derive(Debug)]
pub struct Adjacency<T> {
    all: Vec<T>,
    at: Vec<u32>,
}

impl<T> Default for Adjacency<T> {
    fn default() -> Self {
        Adjacency {
            all: Vec::new(),
            at: vec![0],
        }
    }
}

impl<T: Copy> Adjacency<T> {
    /// Builds the lists from pairs of an item's index and an entry of its list. Entries keep
    /// their order.
    pub fn new(things: usize, pairs: impl Iterator<Item = (usize, T)> + Clone) -> Self {
        let mut at = vec![0u32; things + 1];
        let mut count = 0;
        let mut first = None;
        for (thing, item) in pairs.clone() {
            at[thing + 1] += 1;
            count += 1;
            first = Some(item);
        }
        for thing in 1..at.len() {
            at[thing] += at[thing - 1];
        }
        let mut next = at.clone();
        let mut all = first.map_or_else(Vec::new, |item| vec![item; count]);
        for (thing, item) in pairs {
            all[next[thing] as usize] = item;
            next[thing] += 1;
        }
        Adjacency { all, at }
    }

    /// The list of an item.
    pub fn of(&self, thing: usize) -> &[T] {
        &self.all[self.at[thing] as usize..self.at[thing + 1] as usize]
    }
}
