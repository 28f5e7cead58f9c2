/*
 * What has to be C: the module's own information, and inline functions and
 * macros of Asterisk that bindgen cannot see.
 */
#ifndef RES_USERPRESENCE_SHIM_H
#define RES_USERPRESENCE_SHIM_H

#include <stddef.h>
#include <sys/types.h>

struct ast_channel;
struct ast_config;
struct ast_module;
struct ast_parked_call_payload;
struct ast_str;
struct ast_tcptls_session_instance;
struct ast_variable;

/* The module's handle; valid from before load until after unload. */
struct ast_module *res_userpresence_self(void);

/* Bytes that fit into the buffer as it is, the final NUL not counted. */
size_t res_userpresence_str_room(struct ast_str *buffer);

/* Replace the buffer's text, growing it as needed; 0, or -1 without memory. */
int res_userpresence_str_set(struct ast_str **buffer, const char *text);

/* Put text at the buffer's end, growing it as needed. */
void res_userpresence_str_append(struct ast_str **buffer, const char *text);

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

/*
 * What a channel is and has, each a copy to be freed; NULL where there is none. They
 * take the channel's lock, which may be held already.
 */
char *res_userpresence_channel_name(struct ast_channel *channel);
char *res_userpresence_channel_context(struct ast_channel *channel);
/* A number that is not valid is none. */
char *res_userpresence_channel_caller(struct ast_channel *channel);
/* A plain variable; what is a function's is not read. */
char *res_userpresence_channel_variable(struct ast_channel *channel, const char *name);
/* The application that dials the channel's other half; of a Local channel only. */
char *res_userpresence_channel_dialler(struct ast_channel *channel);

/* Note whose call this was and why it goes elsewhere, for whoever is called next. */
void res_userpresence_channel_redirect(struct ast_channel *channel, const char *number,
	int reason);

/* The name of the channel that waits; it lives as long as the message. */
const char *res_userpresence_parked_channel(const struct ast_parked_call_payload *call);

/* Its unique id. */
char *res_userpresence_channel_id(struct ast_channel *channel);
/* The name of the channel that this one talks to and holds. */
char *res_userpresence_channel_held(struct ast_channel *channel);

/*
 * Join the call of 'holder' in its place, which then ends for 'holder', and stay in it to
 * its end; takes over the reference to 'holder'. 1 at its end, 2 where the channel was
 * sent elsewhere in the dialplan, 0 where there was no call to join.
 */
int res_userpresence_channel_replace(struct ast_channel *channel, struct ast_channel *holder);

/* Why the channel will be hung up, where nothing else says so. */
void res_userpresence_channel_cause(struct ast_channel *channel, int cause);

/* Tell Asterisk's topics what the channel is now. */
void res_userpresence_channel_publish(struct ast_channel *channel);

/* Where a HTTP request comes from, without the port; good until the thread's next call. */
const char *res_userpresence_http_remote(struct ast_tcptls_session_instance *session);

/*
 * Read the JSON that a HTTP request carries: 0 and a copy to be freed, NULL where there is
 * none, or an error number: EFBIG where the server does not take so much.
 */
int res_userpresence_http_json(struct ast_tcptls_session_instance *session,
	struct ast_variable *headers, char **text);

/* Answer a HTTP request; the header lines have their line ends. */
void res_userpresence_http_send(struct ast_tcptls_session_instance *session, int method,
	int status, const char *title, const char *headers, const char *body);

/* Answer a HTTP request with a head that says nothing of a body; the connection ends. */
void res_userpresence_http_send_head(struct ast_tcptls_session_instance *session,
	int status, const char *title, const char *headers);

/* Report a security event of one who wants to come in by HTTP; remote is the address where it
 * is not that of the connection, else NULL. */
void res_userpresence_security_report(struct ast_tcptls_session_instance *session, int event,
	const char *name, const char *remote);

#endif
