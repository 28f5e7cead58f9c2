/*
 * What has to be C: the module's own information, and inline functions and
 * macros of Asterisk that bindgen cannot see.
 */
#ifndef RES_USERPRESENCE_SHIM_H
#define RES_USERPRESENCE_SHIM_H

#include <stddef.h>
#include <sys/types.h>

struct ast_config;
struct ast_module;
struct ast_str;
struct ast_variable;

/* The module's handle; valid from before load until after unload. */
struct ast_module *res_userpresence_self(void);

/* Bytes that fit into the buffer as it is, the final NUL not counted. */
size_t res_userpresence_str_room(struct ast_str *buffer);

/* Replace the buffer's text, growing it as needed; 0, or -1 without memory. */
int res_userpresence_str_set(struct ast_str **buffer, const char *text);

/* Every row whose column 'name' is not NULL; NULL where there is none, or on failure. */
struct ast_config *res_userpresence_realtime_all(const char *family);

/* The row of that name; NULL where there is none, or on failure. */
struct ast_variable *res_userpresence_realtime_one(const char *family, const char *name);

/* Whether Asterisk has loaded everything that it loads at its start. */
int res_userpresence_fully_booted(void);

/* Whether the family's table can be read now and has a column 'name'. */
int res_userpresence_realtime_usable(const char *family);

/* What a dialplan function reads without a channel, to be freed; NULL where it fails. */
char *res_userpresence_function_read(const char *function);

#endif
