//! Objects of other modules that the module makes when they are asked for:
//! `asterisk/sorcery.h`.
//!
//! Sorcery asks the wizards of a type of objects one after the other. Ours is the last, so an
//! object that an administrator has written comes first. It stores nothing: an object is made
//! for each question, and nothing has to be brought in line at a reload.

mod object;

use std::ffi::{CStr, c_char, c_void};
use std::marker::PhantomData;
use std::mem::transmute;
use std::ptr;

use self::object::{ObjectRef, Pattern};
use super::guard::guard;
use super::peer::{Peer, RunningPeer};
use super::slack::WithSlack;
use super::{Error, ffi, text};

/// Objects of one type, such as `resource_list`, that the module makes. The calls come from any
/// thread, several at a time, also while the module does not run; the mapping of the type's
/// wizards is locked for reading meanwhile.
pub trait SorceryObjects: 'static {
    /// The name of the wizard, which no other has.
    const WIZARD: &'static CStr;

    /// The type of the objects: one of `res_pjsip` or of [`SorceryObjects::FILE`].
    const TYPE: &'static CStr;

    /// The file of the module that registers the type, such as `res_pjsip_pubsub.so`.
    const FILE: &'static CStr;

    /// What does not work without them, for the log.
    const WHAT: &'static str;

    /// The fields of the object of that name; `None` without such an object.
    fn find(id: &str) -> Option<Vec<ObjectField>>;

    /// The objects whose name is wanted, for commands that show all; their number is bounded.
    fn all(wanted: &dyn Fn(&str) -> bool) -> Vec<SorceryObject>;
}

/// A field of an object, as a line of a configuration file gives it. One name may come several
/// times, where the type allows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ObjectField {
    /// The option, such as `list_item`.
    pub name: &'static CStr,
    /// Its value; an object with a NUL in a value is not made.
    pub value: String,
}

/// An object with its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SorceryObject {
    /// The name.
    pub id: String,
    /// The fields, in the order in which they are applied.
    pub fields: Vec<ObjectField>,
}

/// [`SorceryObjects`] with the module that has their type.
#[derive(Debug)]
pub struct SorceryPeer<S>(PhantomData<S>);

impl<S: SorceryObjects> Peer for SorceryPeer<S> {
    const FILE: &'static CStr = S::FILE;
    const WHAT: &'static str = S::WHAT;

    fn attach(peer: &RunningPeer) -> Result<(), Error> {
        let sorcery = sip_sorcery(peer)?;
        refuse_caches(sorcery, S::TYPE)?;
        unregister::<S>();
        // SAFETY: MODULE-MAPPED, SORCERY: the core copies the constant, and keeps the pointer
        // to its name; no module is named.
        let taken =
            unsafe { ffi::__ast_sorcery_wizard_register(S::TABLE.as_ptr(), ptr::null_mut()) };
        if taken != 0 {
            return Err(Error::new("the sorcery wizard is not registered"));
        }
        // SAFETY: PEER-STAYS, SORCERY: the instance of res_pjsip, and C strings that are constants.
        let result = unsafe {
            ffi::__ast_sorcery_insert_wizard_mapping(
                sorcery,
                S::TYPE.as_ptr(),
                S::FILE.as_ptr(),
                S::WIZARD.as_ptr(),
                ptr::null(),
                0,
                ffi::AST_SORCERY_WIZARD_POSITION_LAST,
            )
        };
        match result {
            // The second is left from a time when it could not be taken back.
            ffi::AST_SORCERY_APPLY_SUCCESS | ffi::AST_SORCERY_APPLY_DUPLICATE => Ok(()),
            _ => {
                unregister::<S>();
                Err(Error::new(format!(
                    "the sorcery wizard is not mapped for {:?}",
                    S::TYPE
                )))
            }
        }
    }

    /// Waits for calls in progress.
    fn detach(peer: &RunningPeer) {
        if let Ok(sorcery) = sip_sorcery(peer) {
            // SAFETY: PEER-STAYS, SORCERY: the instance of res_pjsip, and constants.
            unsafe {
                ffi::__ast_sorcery_remove_wizard_mapping(
                    sorcery,
                    S::TYPE.as_ptr(),
                    S::FILE.as_ptr(),
                    S::WIZARD.as_ptr(),
                )
            };
        }
        unregister::<S>();
    }
}

/// The sorcery instance of `res_pjsip`.
fn sip_sorcery(peer: &RunningPeer) -> Result<*mut ffi::ast_sorcery, Error> {
    type Get = unsafe extern "C" fn() -> *mut ffi::ast_sorcery;
    let get = peer.find(c"ast_sip_get_sorcery")?;
    // SAFETY: PJSIP-FUNCTIONS: the function of that name has this type.
    let get = unsafe { transmute::<*mut c_void, Get>(get) };
    // SAFETY: PEER-STAYS, PJSIP-FUNCTIONS: it returns a pointer that res_pjsip keeps.
    let sorcery = unsafe { get() };
    if sorcery.is_null() {
        return Err(Error::new("res_pjsip has no sorcery"));
    }
    Ok(sorcery)
}

/// Refuses a type with a cache: objects change at any time, and may differ from one reader to
/// the next.
fn refuse_caches(sorcery: *mut ffi::ast_sorcery, kind: &'static CStr) -> Result<(), Error> {
    // SAFETY: PEER-STAYS, SORCERY: a live instance, and a constant.
    let count = unsafe { ffi::ast_sorcery_get_wizard_mapping_count(sorcery, kind.as_ptr()) };
    if count < 0 {
        return Err(Error::new(format!("there is no type {kind:?} in sorcery")));
    }
    for index in 0..count {
        let mut wizard = ptr::null_mut();
        // SAFETY: PEER-STAYS, SORCERY: as above; it stores a reference to a wizard.
        let found = unsafe {
            ffi::ast_sorcery_get_wizard_mapping(
                sorcery,
                kind.as_ptr(),
                index,
                &mut wizard,
                ptr::null_mut(),
            )
        };
        if found != 0 || wizard.is_null() {
            continue;
        }
        // SAFETY: SORCERY, HOST-OBJECTS: a live wizard, to which this function has a reference.
        let name = unsafe { (*wizard).name };
        // SAFETY: SORCERY, HOST-STRINGS: the name lives as long as the wizard.
        let caches = unsafe { text::bytes(name) } == b"memory_cache";
        // SAFETY: SORCERY, HOST-OBJECTS: the reference from above, given back once.
        unsafe { ffi::__ao2_cleanup(wizard.cast()) };
        if caches {
            return Err(Error::new(format!(
                "sorcery.conf has a memory_cache for {kind:?}, \
                 which would give the objects of one reader to another"
            )));
        }
    }
    Ok(())
}

fn unregister<S: SorceryObjects>() {
    // SAFETY: SORCERY: a constant; it looks for the name, and a wizard in use stays alive.
    unsafe { ffi::ast_sorcery_wizard_unregister(S::TABLE.as_ptr()) };
}

/// The wizard of each type that implements [`SorceryObjects`].
trait WizardTable: SorceryObjects + Sized {
    const TABLE: &'static WithSlack<ffi::ast_sorcery_wizard> =
        &WithSlack::new(ffi::ast_sorcery_wizard {
            name: Self::WIZARD.as_ptr(),
            module: ptr::null_mut(),
            open: None,
            load: None,
            reload: None,
            create: None,
            retrieve_id: Some(retrieve_id::<Self>),
            retrieve_regex: Some(retrieve_regex::<Self>),
            retrieve_prefix: Some(retrieve_prefix::<Self>),
            retrieve_fields: None,
            retrieve_multiple: Some(retrieve_multiple::<Self>),
            update: None,
            delete: None,
            close: None,
            is_stale: None,
            force_reload: None,
        });
}

impl<S: SorceryObjects> WizardTable for S {}

/// # Safety
/// The arguments are those of a wizard's `retrieve_id`.
unsafe extern "C" fn retrieve_id<S: SorceryObjects>(
    sorcery: *const ffi::ast_sorcery,
    _data: *mut c_void,
    _kind: *const c_char,
    id: *const c_char,
) -> *mut c_void {
    guard(ptr::null_mut, || {
        // SAFETY: CALLER, CALLBACK-ARGUMENTS: a C string until this returns.
        let Some(id) = (unsafe { text::utf8(id) }) else {
            return ptr::null_mut();
        };
        let Some(fields) = S::find(id) else {
            return ptr::null_mut();
        };
        // SAFETY: CALLER, SORCERY: the instance in which the wizard is mapped.
        let object = unsafe { ObjectRef::new(sorcery, S::TYPE, id, &fields) };
        object.map_or_else(ptr::null_mut, ObjectRef::into_raw)
    })
}

/// # Safety
/// The arguments are those of a wizard's `retrieve_regex`.
unsafe extern "C" fn retrieve_regex<S: SorceryObjects>(
    sorcery: *const ffi::ast_sorcery,
    _data: *mut c_void,
    _kind: *const c_char,
    objects: *mut ffi::ao2_container,
    regex: *const c_char,
) {
    guard(
        || (),
        || {
            // SAFETY: CALLER, CALLBACK-ARGUMENTS: a C string until this returns.
            let Some(pattern) = Pattern::new(unsafe { text::bytes(regex) }) else {
                return;
            };
            let wanted = |id: &str| pattern.matches(id);
            // SAFETY: CALLER, SORCERY: the instance of the wizard, and a live container.
            unsafe { link_all::<S>(sorcery, objects, &wanted) };
        },
    );
}

/// # Safety
/// The arguments are those of a wizard's `retrieve_prefix`.
unsafe extern "C" fn retrieve_prefix<S: SorceryObjects>(
    sorcery: *const ffi::ast_sorcery,
    _data: *mut c_void,
    _kind: *const c_char,
    objects: *mut ffi::ao2_container,
    prefix: *const c_char,
    length: usize,
) {
    guard(
        || (),
        || {
            // SAFETY: CALLER, CALLBACK-ARGUMENTS: a C string until this returns.
            let prefix = unsafe { text::bytes(prefix) };
            let prefix = prefix.get(..length).unwrap_or(prefix);
            let wanted = |id: &str| id.as_bytes().starts_with(prefix);
            // SAFETY: CALLER, SORCERY: the instance of the wizard, and a live container.
            unsafe { link_all::<S>(sorcery, objects, &wanted) };
        },
    );
}

/// Answers for all objects only: no object is looked for by what its fields say.
///
/// # Safety
/// The arguments are those of a wizard's `retrieve_multiple`.
unsafe extern "C" fn retrieve_multiple<S: SorceryObjects>(
    sorcery: *const ffi::ast_sorcery,
    _data: *mut c_void,
    _kind: *const c_char,
    objects: *mut ffi::ao2_container,
    fields: *const ffi::ast_variable,
) {
    guard(
        || (),
        || {
            if fields.is_null() {
                // SAFETY: CALLER, SORCERY: the instance of the wizard, and a live container.
                unsafe { link_all::<S>(sorcery, objects, &|_| true) };
            }
        },
    );
}

/// Puts the wanted objects into the container, which refuses those that it has by their name.
///
/// # Safety
/// A live instance that has the type, and a live container for objects of sorcery.
unsafe fn link_all<S: SorceryObjects>(
    sorcery: *const ffi::ast_sorcery,
    objects: *mut ffi::ao2_container,
    wanted: &dyn Fn(&str) -> bool,
) {
    for SorceryObject { id, fields } in S::all(wanted) {
        // SAFETY: CALLER: a live instance.
        if let Some(object) = unsafe { ObjectRef::new(sorcery, S::TYPE, &id, &fields) } {
            // SAFETY: CALLER: a live container.
            unsafe { object.link(objects) };
        }
    }
}
