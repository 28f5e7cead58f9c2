//! The live subscriptions to feature keys.

use std::collections::HashMap;
use std::ffi::{CString, c_int, c_void};
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::{ATTACHED, DATA, FUNCTIONS, FeatureFunctions, name_of};
use crate::guard::guard;
use crate::slack::WithSlack;
use crate::text::{self, printable, source_file};
use crate::{ffi, log};

/// The most subscriptions: more than the phones of one server.
const MAX: usize = 100_000;

type Bodies = fn(&str, &str) -> Option<Vec<String>>;

/// A subscription of a phone.
///
/// # Invariants
/// The subscription lives until `destroy` was called, which the drop does. The serializer's
/// reference is this value's.
pub(super) struct FeatureSubscription {
    raw: *mut ffi::ast_sip_subscription,
    serializer: *mut ffi::ast_taskprocessor,
    functions: &'static FeatureFunctions,
    endpoint: Box<str>,
    resource: Box<str>,
    bodies: Bodies,
    /// Whether a task is waiting in the serializer: there is at most one.
    waiting: AtomicBool,
    /// Whether that task sends what has not changed too.
    everything: AtomicBool,
    ended: AtomicBool,
    /// What the phone has. Locked by the serializer's tasks only.
    sent: Mutex<Vec<String>>,
}

// SAFETY: INVARIANT, HOST-OBJECTS: references may be held and given back by any thread; all
// other uses of the subscription are in its serializer.
unsafe impl Send for FeatureSubscription {}
// SAFETY: INVARIANT, HOST-OBJECTS: as above.
unsafe impl Sync for FeatureSubscription {}

impl FeatureSubscription {
    /// Takes over a subscription that begins, to destroy it; `None` if it cannot be described,
    /// and then it is destroyed.
    ///
    /// # Safety
    /// It lives until it is destroyed, for which the caller has the reference.
    pub unsafe fn new(raw: *mut ffi::ast_sip_subscription, bodies: Bodies) -> Option<Arc<Self>> {
        let functions = FUNCTIONS.get()?;
        // SAFETY: CALLER, PJSIP-FUNCTIONS: a live subscription; the endpoint comes with a
        // reference.
        let endpoint = unsafe { (functions.endpoint)(raw) };
        // SAFETY: HOST-OBJECTS: a live endpoint, or NULL.
        let name = (!endpoint.is_null()).then(|| unsafe { name_of(endpoint) });
        let name: Option<Box<str>> = name.flatten().map(Into::into);
        // SAFETY: HOST-OBJECTS: given back once; NULL is accepted.
        unsafe { ffi::__ao2_cleanup(endpoint.cast()) };
        // SAFETY: CALLER, PJSIP-FUNCTIONS: a live subscription.
        let resource = unsafe { (functions.resource)(raw) };
        // SAFETY: HOST-STRINGS: it lives as long as the subscription.
        let resource = unsafe { text::utf8(resource) }.unwrap_or_default().into();
        // SAFETY: CALLER, PJSIP-FUNCTIONS: a live subscription.
        let serializer = unsafe { (functions.serializer)(raw) };
        // SAFETY: HOST-OBJECTS: the serializer lives as long as the subscription, and longer
        // with this reference.
        unsafe { hold(serializer) };
        let subscription = FeatureSubscription {
            raw,
            serializer,
            functions,
            endpoint: name.clone().unwrap_or_default(),
            resource,
            bodies,
            waiting: AtomicBool::new(false),
            everything: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            sent: Mutex::default(),
        };
        name.map(|_| Arc::new(subscription))
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    fn now(&self) -> Option<Vec<String>> {
        (self.bodies)(&self.endpoint, &self.resource)
    }

    /// The body of the first NOTIFY; those of the other features follow, one NOTIFY each.
    pub fn first_body(self: &Arc<Self>) -> Option<CString> {
        let first = self.now()?.into_iter().next()?;
        let body = printable(&first);
        *self.sent.lock() = vec![first];
        self.clone().wake();
        Some(body)
    }

    /// Has the phone notified of each feature.
    pub fn send_everything(self: &Arc<Self>) {
        self.everything.store(true, Ordering::Release);
        self.clone().wake();
    }

    /// Whether a task has to be added to the serializer.
    fn needs_task(&self) -> bool {
        !self.ended.load(Ordering::Acquire) && !self.waiting.swap(true, Ordering::AcqRel)
    }

    fn wake(self: Arc<Self>) {
        if self.needs_task() {
            self.push();
        }
    }

    /// Adds the task to the serializer, which takes over the reference. The last reference
    /// may not be dropped here: that would wait for a thread of res_pjsip.
    fn push(self: Arc<Self>) {
        let (push, serializer) = (self.functions.push, self.serializer);
        // The task may end the subscription, and the serializer with it, before the push
        // returns, which still uses it.
        // SAFETY: INVARIANT, HOST-OBJECTS: a live serializer; the texts are constants.
        unsafe { hold(serializer) };
        let data = Arc::into_raw(self);
        // SAFETY: PJSIP-FUNCTIONS, MODULE-MAPPED: the serializer is held, and calls the task
        // once with `data`.
        let refused = unsafe { push(serializer, Some(task), data.cast_mut().cast()) } != 0;
        // SAFETY: HOST-OBJECTS: the reference from above, given back once.
        unsafe { ffi::ast_taskprocessor_unreference(serializer) };
        if refused {
            // Asterisk is ending or has no memory: the reference is given up, for good.
            log::warning("A NOTIFY for feature keys could not be sent: res_pjsip accepts no task");
        }
    }

    /// Sends what the phone does not have yet. Called in the serializer.
    fn send(&self) {
        self.waiting.store(false, Ordering::Release);
        if self.ended.load(Ordering::Acquire) || !ATTACHED.load(Ordering::Acquire) {
            return;
        }
        // SAFETY: INVARIANT, PJSIP-FUNCTIONS: a live subscription.
        if unsafe { (self.functions.is_terminated)(self.raw) } != 0 {
            return;
        }
        let Some(now) = self.now() else {
            return;
        };
        let everything = self.everything.swap(false, Ordering::AcqRel);
        let sent = std::mem::replace(&mut *self.sent.lock(), now.clone());
        for (index, body) in now.iter().enumerate() {
            if everything || sent.get(index) != Some(body) {
                self.notify(body);
            }
        }
    }

    fn notify(&self, body: &str) {
        let body = printable(body);
        let mut data = WithSlack::new(ffi::ast_sip_body_data {
            body_type: DATA.as_ptr(),
            body_data: body.as_ptr().cast_mut().cast(),
        });
        // SAFETY: INVARIANT, PJSIP-FUNCTIONS, HOST-COPIES: a live subscription, in its own
        // serializer; the data is that of the handler's kind.
        unsafe { (self.functions.notify)(self.raw, data.as_mut_ptr(), 0) };
    }
}

impl Drop for FeatureSubscription {
    fn drop(&mut self) {
        // SAFETY: INVARIANT, PJSIP-FUNCTIONS: once for each subscription.
        unsafe { (self.functions.destroy)(self.raw) };
        // SAFETY: INVARIANT, HOST-OBJECTS: the reference is given back once.
        unsafe { ffi::ast_taskprocessor_unreference(self.serializer) };
    }
}

/// # Safety
/// Called by a serializer of res_pjsip with the reference that was added with it.
unsafe extern "C" fn task(data: *mut c_void) -> c_int {
    guard(
        || 0,
        || {
            // SAFETY: CALLER: it comes from `Arc::into_raw`, once.
            let subscription =
                unsafe { Arc::from_raw(data.cast_const().cast::<FeatureSubscription>()) };
            subscription.send();
            0
        },
    )
}

/// The live subscriptions by their address and by the endpoint's name.
#[derive(Default)]
pub(super) struct Registry {
    all: HashMap<usize, Arc<FeatureSubscription>>,
    of_endpoint: HashMap<Box<str>, Vec<Arc<FeatureSubscription>>>,
}

static REGISTRY: LazyLock<Mutex<Registry>> = LazyLock::new(Mutex::default);

impl Registry {
    pub fn add(raw: *mut ffi::ast_sip_subscription, subscription: Arc<FeatureSubscription>) {
        let mut registry = REGISTRY.lock();
        let of_endpoint = registry
            .of_endpoint
            .entry(subscription.endpoint.clone())
            .or_default();
        of_endpoint.push(subscription.clone());
        registry.all.insert(raw.addr(), subscription);
    }

    pub fn of(raw: *mut ffi::ast_sip_subscription) -> Option<Arc<FeatureSubscription>> {
        REGISTRY.lock().all.get(&raw.addr()).cloned()
    }

    /// Takes out a subscription that ends. It is destroyed with its last task.
    pub fn remove(raw: *mut ffi::ast_sip_subscription) {
        let mut registry = REGISTRY.lock();
        let Some(subscription) = registry.all.remove(&raw.addr()) else {
            return;
        };
        subscription.ended.store(true, Ordering::Release);
        if let Some(others) = registry.of_endpoint.get_mut(&subscription.endpoint) {
            others.retain(|other| !Arc::ptr_eq(other, &subscription));
            if others.is_empty() {
                registry.of_endpoint.remove(&subscription.endpoint);
            }
        }
        drop(registry);
        drop(subscription);
    }
}

/// Whether no more subscriptions are accepted.
pub(super) fn are_full() -> bool {
    REGISTRY.lock().all.len() >= MAX
}

/// Whether any phone has subscribed.
pub fn has_subscriptions() -> bool {
    ATTACHED.load(Ordering::Acquire) && !REGISTRY.lock().all.is_empty()
}

/// Has the phones of these endpoints notified of what has changed. It does not wait.
pub fn notify<'a>(endpoints: impl IntoIterator<Item = &'a str>) {
    let mut due = Vec::new();
    {
        let registry = REGISTRY.lock();
        for endpoint in endpoints {
            let found = registry.of_endpoint.get(endpoint).into_iter().flatten();
            // Counted only if they are pushed, so that none is dropped here.
            due.extend(found.filter(|it| it.needs_task()).cloned());
        }
    }
    due.into_iter().for_each(FeatureSubscription::push);
}

/// Has every phone notified of what has changed, for example after a reload.
pub fn notify_all() {
    let due: Vec<_> = {
        let registry = REGISTRY.lock();
        let all = registry.all.values();
        all.filter(|it| it.needs_task()).cloned().collect()
    };
    due.into_iter().for_each(FeatureSubscription::push);
}

/// Takes a reference to a serializer.
///
/// # Safety
/// A live serializer.
unsafe fn hold(serializer: *mut ffi::ast_taskprocessor) {
    // SAFETY: CALLER, HOST-OBJECTS: a live object; file and function are static.
    unsafe {
        ffi::__ao2_ref(
            serializer.cast(),
            1,
            std::ptr::null(),
            source_file!(),
            line!() as c_int,
            c"hold".as_ptr(),
        );
    }
}
