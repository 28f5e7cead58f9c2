//! The sample's feature codes and FreePBX's own.

use crate::harness::barrier::configured;
use crate::harness::repository_file;

/// The default codes of FreePBX 17's modules: core, blacklist, callforward, callwaiting,
/// conferences, daynight, donotdisturb, findmefollow, infoservices, paging, parking, queues,
/// recordings, timeconditions and voicemail. Most can be followed by a number.
const CODES: &[&str] = &[
    "*1", "*2", "*3", "*4", "*5", "*6", "*8", "**", "*11", "*12", "*59", "*30", "*31", "*32",
    "*52", "*53", "*72", "*73", "*74", "*90", "*91", "*92", "*93", "*94", "*95", "*96", "*70",
    "*71", "*87", "*28", "*76", "*78", "*79", "*21", "*43", "*60", "*65", "*69", "*54", "*55",
    "*80", "*85", "*88", "*45", "*46", "*47", "*29", "*27", "*97", "*98",
];

/// The two that the sample replaces, as it says.
const REPLACED: &[&str] = &["*72", "*73"];

#[test]
fn the_samples_codes_leave_those_of_freepbx_alone() {
    let codes = repository_file("configs/samples/extensions_userpresence.conf.sample");
    let ast = configured("").dialplan(&format!("\n{codes}")).start();
    let has = |code: &str| {
        let shown = ast.cli(&format!("dialplan show {code}@from-internal-custom"));
        shown.contains("[from-internal-custom]") || shown.contains("Context 'from-internal-custom'")
    };
    for code in [
        "*22", "*23", "*24200", "*26*45", "*251", "*250", "*72210", "*72", "*73",
    ] {
        assert!(has(code), "{code}");
    }
    for code in CODES {
        let taken = ["", "0", "1", "10", "200", "*200", "*200*600"]
            .map(|number| format!("{code}{number}"))
            .into_iter()
            // Two codes may differ only in the number that follows, such as *2 and *22.
            .filter(|dialled| has(dialled) && (code.len() > 2 || dialled == code));
        let taken: Vec<_> = taken.collect();
        let replaced = REPLACED.contains(code);
        assert!(taken.is_empty() != replaced, "{code}: {taken:?}");
    }
}
