/*
 * What Asterisk's loader looks at before it calls the module: name, description, when to
 * load it, and the functions that load, reload and unload it.
 */
#include "asterisk.h"

#include "asterisk/module.h"

/*
 * What the loader gets: a copy with zeros behind it, where a newer Asterisk finds members that
 * this one does not have yet. AST_MODULE_INFO calls the two functions, which are replaced for it.
 */
static struct {
	struct ast_module_info info;
	void *slack[32];
} registered;

static void register_with_slack(const struct ast_module_info *info)
{
	memcpy(&registered.info, info, sizeof(registered.info));
	ast_module_register(&registered.info);
}

static void unregister_with_slack(const struct ast_module_info *info)
{
	(void) info;
	ast_module_unregister(&registered.info);
}

#define ast_module_register register_with_slack
#define ast_module_unregister unregister_with_slack

/* Written in Rust: src/module.rs exports it, crates/asterisk/src/entry.rs declares it. */
extern const struct {
	int (*load)(struct ast_module *self);
	int (*reload)(void);
	int (*unload)(void);
} asterisk_module;

/* The loader expects an enum, whose size C and Rust may see differently: hence the int. */
static enum ast_module_load_result load_module(void)
{
	/* Not AST_MODULE_SELF: the loader has written to the copy. */
	return asterisk_module.load(registered.info.self)
		? AST_MODULE_LOAD_DECLINE : AST_MODULE_LOAD_SUCCESS;
}

static int reload_module(void)
{
	return asterisk_module.reload();
}

static int unload_module(void)
{
	return asterisk_module.unload();
}

AST_MODULE_INFO(ASTERISK_GPL_KEY, AST_MODFLAG_LOAD_ORDER,
	"User presence: one combined presence per person",
	.support_level = AST_MODULE_SUPPORT_EXTENDED,
	.load = load_module,
	.reload = reload_module,
	.unload = unload_module,
	/* After func_presencestate, which publishes the states that it has stored, and before
	 * pbx_config, which makes the hints. */
	.load_pri = AST_MODPRI_DEVSTATE_PLUGIN,
);
