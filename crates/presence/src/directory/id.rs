//! The numbers of users, sources, accounts, devices and groups.

/// The number of a user in a [`super::Directory`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UserId(pub(super) u32);

/// The number of a source in a [`super::Directory`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SourceId(pub(super) u32);

/// The number of an account in a [`super::Directory`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AccountId(pub(super) u32);

/// The number of a device in a [`super::Directory`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DeviceId(pub(super) u32);

/// The number of a group in a [`super::Directory`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct GroupId(pub(super) u32);

macro_rules! index {
    ($($id:ty),*) => {$(
        impl $id {
            /// The number as an index into an array.
            pub fn index(self) -> usize {
                self.0 as usize
            }
            pub(crate) fn new(index: usize) -> Self {
                Self(index as u32)
            }
        }
    )*};
}
index!(UserId, SourceId, AccountId, DeviceId, GroupId);
