//! pjproject's trees of XML: `pjlib-util/xml.h`, by the layouts in `include/pjproject.h`.
//!
//! No header of pjproject is there to compare the layouts with. So a tree is read with
//! suspicion: each list has to be circular in both directions, each name has to be one, and
//! nothing is larger than a body may be. A tree of another layout does not pass.

use std::ptr;
use std::slice;

use super::ffi;

/// An element. Texts are as they are printed, with special characters escaped.
#[derive(Debug)]
pub struct XmlNode<'a> {
    /// The name, with its prefix: not empty, without blanks.
    pub name: &'a [u8],
    /// Names and values.
    pub attributes: Vec<(&'a [u8], &'a [u8])>,
    /// The text, which is printed after the children.
    pub content: &'a [u8],
    /// The elements in it.
    pub children: Vec<XmlNode<'a>>,
}

/// The most elements and attributes of a tree.
const MOST: usize = 500;
const DEEPEST: usize = 10;
/// The longest name or text, in bytes.
const LONGEST: usize = 8192;

/// Reads a tree; `None` if it has not the expected shape.
///
/// # Safety
/// `root` is a tree of pjproject's that stays unchanged for `'a`.
pub(super) unsafe fn read<'a>(root: *const ffi::pj_xml_node) -> Option<XmlNode<'a>> {
    let mut left = MOST;
    // SAFETY: CALLER: as for `read`.
    unsafe { read_node(root, DEEPEST, &mut left) }
}

/// # Safety
/// As for [`read`].
unsafe fn read_node<'a>(
    node: *const ffi::pj_xml_node,
    deep: usize,
    left: &mut usize,
) -> Option<XmlNode<'a>> {
    *left = left.checked_sub(1)?;
    let deep = deep.checked_sub(1)?;
    if !node.is_aligned() {
        return None;
    }
    // SAFETY: CALLER, PJPROJECT-TREES: a node that stays unchanged; not NULL if it is there.
    let it: &'a ffi::pj_xml_node = unsafe { node.as_ref() }?;
    let mut attributes = Vec::new();
    let head = &raw const it.attr_head;
    let (mut before, mut next) = (head, it.attr_head.next.cast_const());
    while next != head {
        *left = left.checked_sub(1)?;
        if !next.is_aligned() {
            return None;
        }
        // SAFETY: CALLER, PJPROJECT-TREES: an attribute of the node.
        let attribute: &'a ffi::pj_xml_attr = unsafe { next.as_ref() }?;
        if attribute.prev.cast_const() != before {
            return None;
        }
        // SAFETY: CALLER, PJPROJECT-TREES: texts of the attribute.
        let name = unsafe { name(&attribute.name) }?;
        // SAFETY: CALLER, PJPROJECT-TREES: as above.
        attributes.push((name, unsafe { bytes(&attribute.value) }?));
        (before, next) = (next, attribute.next.cast_const());
    }
    if it.attr_head.prev.cast_const() != before {
        return None;
    }
    let mut children = Vec::new();
    // The head takes part in the list as if it were a node.
    let head = (&raw const it.node_head).cast::<ffi::pj_xml_node>();
    let (mut before, mut next) = (head, it.node_head.next.cast_const());
    while next != head {
        // SAFETY: CALLER, PJPROJECT-TREES: a child of the node.
        children.push(unsafe { read_node(next, deep, left) }?);
        // SAFETY: CALLER, PJPROJECT-TREES: as above; it was just read.
        let child: &'a ffi::pj_xml_node = unsafe { next.as_ref() }?;
        if child.prev.cast_const() != before {
            return None;
        }
        (before, next) = (next, child.next.cast_const());
    }
    if it.node_head.prev.cast_const() != before {
        return None;
    }
    Some(XmlNode {
        // SAFETY: CALLER, PJPROJECT-TREES: texts of the node.
        name: unsafe { name(&it.name) }?,
        attributes,
        // SAFETY: CALLER, PJPROJECT-TREES: as above.
        content: unsafe { bytes(&it.content) }?,
        children,
    })
}

/// A name: not empty, of printable ASCII or of characters beyond it.
///
/// # Safety
/// As for [`bytes`].
unsafe fn name<'a>(text: &ffi::pj_str_t) -> Option<&'a [u8]> {
    // SAFETY: CALLER: as for `bytes`.
    let name = unsafe { bytes(text) }?;
    let is_plain = |byte: &u8| byte.is_ascii_graphic() || !byte.is_ascii();
    (!name.is_empty() && name.iter().all(is_plain)).then_some(name)
}

/// The bytes of a text; empty for one without a pointer.
///
/// # Safety
/// A text of pjproject's that stays unchanged for `'a`.
unsafe fn bytes<'a>(text: &ffi::pj_str_t) -> Option<&'a [u8]> {
    let length = usize::try_from(text.slen).ok()?;
    if length == 0 {
        return Some(&[]);
    }
    if length > LONGEST || text.ptr.is_null() {
        return None;
    }
    // SAFETY: CALLER, PJPROJECT-TREES: so many bytes of text; not NULL.
    Some(unsafe { slice::from_raw_parts(text.ptr.cast(), length) })
}

/// Has the root printed with that text between its tags, in place of its elements.
///
/// # Safety
/// `root` is a tree that [`read`] has returned, and that nobody else uses meanwhile. The text
/// lives, and stays where it is, until the tree was printed.
pub(super) unsafe fn replace(root: *mut ffi::pj_xml_node, text: &[u8]) {
    // SAFETY: CALLER: the place of a field.
    let head = unsafe { &raw mut (*root).node_head };
    let list = ffi::pj_xml_node_head {
        prev: head.cast(),
        next: head.cast(),
    };
    let content = ffi::pj_str_t {
        ptr: text.as_ptr().cast_mut().cast(),
        slen: isize::try_from(text.len()).unwrap_or_default(),
    };
    // SAFETY: CALLER, PJPROJECT-TREES: an empty list is one whose head is alone in it.
    unsafe { ptr::write(head, list) };
    // SAFETY: CALLER: the place of a field.
    let place = unsafe { &raw mut (*root).content };
    // SAFETY: CALLER, PJPROJECT-TREES: printing reads the text, and changes nothing.
    unsafe { ptr::write(place, content) };
}
