//! One AMI message.

/// A response or an event: its headers in the order of arrival.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    headers: Vec<(String, String)>,
}

impl Message {
    pub(super) fn push_line(&mut self, line: &str) {
        // A header is `Name: value`, and the value may be empty.
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.headers.is_empty()
    }

    /// The first header of that name, ignoring case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The first header of that name. Panics if there is none.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        self.get(name)
            .unwrap_or_else(|| panic!("no {name} in {self:#?}"))
    }

    /// Every header of that name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// All headers, in order.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// Whether this is the event `name`.
    pub fn is_event(&self, name: &str) -> bool {
        self.get("Event")
            .is_some_and(|event| event.eq_ignore_ascii_case(name))
    }

    /// Whether this is a response other than an error.
    pub fn ok(&self) -> bool {
        self.get("Response").is_some_and(|kind| kind != "Error")
    }

    /// The `Message:` header, or nothing.
    pub fn text(&self) -> &str {
        self.get("Message").unwrap_or_default()
    }

    /// The output of a CLI command, one line per `Output:` header.
    pub fn output(&self) -> String {
        self.all("Output").collect::<Vec<_>>().join("\n")
    }
}
