//! FreePBX's devices for do not disturb.

use super::device::DeviceState;

/// FreePBX's name for the device of an extension's do not disturb, before the extension.
pub const DEVICE: &str = "Custom:DND";

/// Whether a state of such a device means that do not disturb is on.
pub fn is_on(state: DeviceState) -> bool {
    state.is_in_call()
}

/// The extension whose do not disturb a device is; `None` for any other device.
pub fn extension_of(device: &str) -> Option<&str> {
    let (label, extension) = device.split_at_checked(DEVICE.len())?;
    (label.eq_ignore_ascii_case(DEVICE) && !extension.is_empty()).then_some(extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_devices_are_found_by_their_names() {
        assert_eq!(extension_of("Custom:DND200"), Some("200"));
        assert_eq!(extension_of("custom:dnd200"), Some("200"));
        for other in [
            "Custom:DND",
            "Custom:DEVDND200",
            "PJSIP/200",
            "Custom",
            "\u{e9}",
        ] {
            assert_eq!(extension_of(other), None, "{other}");
        }
    }
}
