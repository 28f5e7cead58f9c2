//! Many short names in one string.

/// Names by number. Each takes 4 bytes besides its text.
#[derive(Debug)]
pub struct Names {
    text: String,
    /// Where each name begins in `text`, and at the end, where the last name ends.
    at: Vec<u32>,
}

impl Default for Names {
    fn default() -> Self {
        Names {
            text: String::new(),
            at: vec![0],
        }
    }
}

impl Names {
    /// The number of names, which is the number of the next name.
    pub fn len(&self) -> usize {
        self.at.len() - 1
    }

    /// Appends a name.
    ///
    /// # Panics
    /// If all names together are longer than 4 GiB.
    pub fn push(&mut self, name: &str) {
        self.text.push_str(name);
        let end = u32::try_from(self.text.len());
        self.at.push(end.expect("names of less than 4 GiB"));
    }

    /// A name by number.
    pub fn get(&self, number: usize) -> &str {
        &self.text[self.at[number] as usize..self.at[number + 1] as usize]
    }

    /// All names in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|number| self.get(number))
    }

    /// Frees unused memory.
    pub fn shrink_to_fit(&mut self) {
        self.text.shrink_to_fit();
        self.at.shrink_to_fit();
    }
}
