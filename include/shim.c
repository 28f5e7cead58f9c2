#include "asterisk.h"

#include "asterisk/config.h"
#include "asterisk/logger.h"
#include "asterisk/module.h"
#include "asterisk/options.h"
#include "asterisk/pbx.h"
#include "asterisk/strings.h"
#include "asterisk/utils.h"

#include "shim.h"

/* In src/asterisk/entry.rs. */
int res_userpresence_load(void);
int res_userpresence_reload(void);
int res_userpresence_unload(void);

/* It only hands the call on: the loader wants an enum, which C and Rust spell differently. */
static enum ast_module_load_result load_module(void)
{
	return res_userpresence_load() ? AST_MODULE_LOAD_DECLINE : AST_MODULE_LOAD_SUCCESS;
}

AST_MODULE_INFO(ASTERISK_GPL_KEY, AST_MODFLAG_LOAD_ORDER,
	"User presence: one combined presence per person",
	.support_level = AST_MODULE_SUPPORT_EXTENDED,
	.load = load_module,
	.reload = res_userpresence_reload,
	.unload = res_userpresence_unload,
	/* After func_presencestate, which publishes what it has stored, and before
	 * pbx_config, which makes the hints. */
	.load_pri = AST_MODPRI_DEVSTATE_PLUGIN,
);

struct ast_module *res_userpresence_self(void)
{
	return AST_MODULE_SELF;
}

size_t res_userpresence_str_room(struct ast_str *buffer)
{
	size_t size = ast_str_size(buffer);

	return size ? size - 1 : 0;
}

int res_userpresence_str_set(struct ast_str **buffer, const char *text)
{
	return ast_str_set(buffer, 0, "%s", text) < 0 ? -1 : 0;
}

struct ast_config *res_userpresence_realtime_all(const char *family)
{
	return ast_load_realtime_multientry(family, "name LIKE", "%", SENTINEL);
}

struct ast_variable *res_userpresence_realtime_one(const char *family, const char *name)
{
	return ast_load_realtime_all(family, "name", name, SENTINEL);
}

int res_userpresence_realtime_usable(const char *family)
{
	/* Drivers remember the table's columns: forget them, so that they have to ask. */
	ast_unload_realtime(family);

	return ast_realtime_require_field(family, "name", RQ_CHAR, 1, SENTINEL) == 0;
}

char *res_userpresence_function_read(const char *function)
{
	struct ast_str *buffer = ast_str_create(256);
	char *text = NULL;

	if (buffer && !ast_func_read2(NULL, function, &buffer, 0)) {
		text = ast_strdup(ast_str_buffer(buffer));
	}
	ast_free(buffer);

	return text;
}

int res_userpresence_fully_booted(void)
{
	return ast_fully_booted ? 1 : 0;
}
