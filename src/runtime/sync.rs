//! Locks of the runtime: parking_lot's, or loom's where its threads are modelled.
//!
//! With the feature `loom` a test build takes loom's locks, which try every order in which
//! the threads of a model can run. A model has no clock: a wait with a deadline ends when it
//! is woken, never by time.

#[cfg(not(all(test, feature = "loom")))]
pub use parking_lot::{Condvar, Mutex, MutexGuard, RwLock};

#[cfg(all(test, feature = "loom"))]
pub use modelled::{Condvar, Mutex, MutexGuard, RwLock};

#[cfg(all(test, feature = "loom"))]
mod modelled {
    use std::ops::{Deref, DerefMut};
    use std::time::Instant;

    /// A mutex of a model.
    #[derive(Debug)]
    pub struct Mutex<T>(loom::sync::Mutex<T>);

    /// A held [`Mutex`].
    pub struct MutexGuard<'a, T>(Option<loom::sync::MutexGuard<'a, T>>);

    impl<T> Mutex<T> {
        /// A mutex that nobody holds.
        pub fn new(value: T) -> Self {
            Mutex(loom::sync::Mutex::new(value))
        }

        /// Waits for the mutex. A thread that panicked in it does not poison it.
        pub fn lock(&self) -> MutexGuard<'_, T> {
            let guard = self.0.lock();
            MutexGuard(Some(guard.unwrap_or_else(|poisoned| poisoned.into_inner())))
        }
    }

    impl<T: Default> Default for Mutex<T> {
        fn default() -> Self {
            Mutex::new(T::default())
        }
    }

    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            self.0.as_ref().expect("held outside of a wait")
        }
    }

    impl<T> DerefMut for MutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            self.0.as_mut().expect("held outside of a wait")
        }
    }

    /// A condition variable of a model.
    #[derive(Debug)]
    pub struct Condvar(loom::sync::Condvar);

    /// How a wait ended.
    pub struct Woken;

    impl Woken {
        /// Never: a model has no clock.
        pub fn timed_out(&self) -> bool {
            false
        }
    }

    impl Condvar {
        /// A condition variable without waiters.
        pub fn new() -> Self {
            Condvar(loom::sync::Condvar::new())
        }

        /// Waits to be woken.
        pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
            let held = guard.0.take().expect("held outside of a wait");
            let held = self.0.wait(held);
            guard.0 = Some(held.unwrap_or_else(|poisoned| poisoned.into_inner()));
        }

        /// Waits to be woken.
        pub fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, _: Instant) -> Woken {
            self.wait(guard);
            Woken
        }

        /// Wakes one waiter.
        pub fn notify_one(&self) {
            self.0.notify_one();
        }

        /// Wakes all waiters.
        pub fn notify_all(&self) {
            self.0.notify_all();
        }
    }

    impl Default for Condvar {
        fn default() -> Self {
            Condvar::new()
        }
    }

    impl<T: Default> Default for RwLock<T> {
        fn default() -> Self {
            RwLock::new(T::default())
        }
    }

    /// A lock for readers and writers of a model.
    #[derive(Debug)]
    pub struct RwLock<T>(loom::sync::RwLock<T>);

    impl<T> RwLock<T> {
        /// A lock that nobody holds.
        pub fn new(value: T) -> Self {
            RwLock(loom::sync::RwLock::new(value))
        }

        /// Waits to read.
        pub fn read(&self) -> loom::sync::RwLockReadGuard<'_, T> {
            self.0
                .read()
                .unwrap_or_else(|poisoned| poisoned.into_inner())
        }

        /// Waits to write.
        pub fn write(&self) -> loom::sync::RwLockWriteGuard<'_, T> {
            self.0
                .write()
                .unwrap_or_else(|poisoned| poisoned.into_inner())
        }
    }
}
