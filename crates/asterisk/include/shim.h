/*
 * Inline functions and macros of Asterisk that bindgen cannot see, and steps that have to be
 * taken under a channel's lock, as plain functions.
 */
#ifndef ASTERISK_SHIM_H
#define ASTERISK_SHIM_H

#include <stddef.h>
#include <sys/time.h>
#include <sys/types.h>

struct ast_channel;
struct ast_channel_blob;
struct ast_channel_snapshot;
struct ast_config;
struct ast_parked_call_payload;
struct ast_str;
struct ast_tcptls_session_instance;
struct ast_variable;

/* --- the C library's malloc.h --- */

/* The bytes that the process has allocated. */
size_t shim_allocated(void);

/* --- strings.h --- */

/* The bytes that fit into the buffer at its present size, without the final NUL. */
size_t shim_str_room(struct ast_str *buffer);

/* Replaces the buffer's text and grows the buffer as needed: 0, or -1 without memory. */
int shim_str_set(struct ast_str **buffer, const char *text);

/* Appends text to the buffer and grows the buffer as needed. */
void shim_str_append(struct ast_str **buffer, const char *text);

/* --- config.h --- */

/* Every row whose column 'name' is not NULL; NULL without such a row, or on failure. */
struct ast_config *shim_realtime_all(const char *family);

/* The row of that name; NULL without such a row, or on failure. */
struct ast_variable *shim_realtime_one(const char *family, const char *name);

/* Whether the family's table can be read now and has a column 'name'. */
int shim_realtime_usable(const char *family);

/* --- options.h, pbx.h --- */

/* Whether Asterisk has loaded every module that it loads at its start. */
int shim_fully_booted(void);

/* The value of a dialplan function, read without a channel: a copy for the caller to free;
 * NULL on failure. */
char *shim_function_read(const char *function);

/*
 * --- channel.h ---
 *
 * Each text is a copy for the caller to free; NULL for no text. The functions take the
 * channel's lock, which the calling thread may hold already.
 */
char *shim_channel_name(struct ast_channel *channel);
char *shim_channel_id(struct ast_channel *channel);
char *shim_channel_context(struct ast_channel *channel);
/* The caller's number; NULL for a number that is not marked as valid. */
char *shim_channel_caller(struct ast_channel *channel);
/* A variable of the channel or a global one; functions are not evaluated. */
char *shim_channel_variable(struct ast_channel *channel, const char *name);
/* The application that runs on the other half of a Local channel; NULL for other channels. */
char *shim_channel_dialler(struct ast_channel *channel);
/* The name of the channel that this one talks to and has on hold. */
char *shim_channel_held(struct ast_channel *channel);

/* Whether the channel rings, and nobody has answered it. */
int shim_channel_rings(struct ast_channel *channel);

/* Records whose call this was and why it is redirected, for the next called party. */
void shim_channel_redirect(struct ast_channel *channel, const char *number, int reason);

/* Sets the cause of a hangup that comes without another one. */
void shim_channel_cause(struct ast_channel *channel, int cause);

/* Publishes the channel's present state on Asterisk's topics. */
void shim_channel_publish(struct ast_channel *channel);

/*
 * Takes the place of 'holder' in its call, which ends for 'holder', and stays in the call to
 * its end; takes over the reference to 'holder'. 1 at the end of the call, 2 if the channel
 * was sent elsewhere in the dialplan, 0 without a call to join.
 */
int shim_channel_replace(struct ast_channel *channel, struct ast_channel *holder);

/* --- stasis_channels.h --- */

enum shim_line {
	/* Nothing rings yet, or the channel is about to end. */
	SHIM_LINE_DOWN,
	SHIM_LINE_RINGING,
	SHIM_LINE_UP,
};

/* What a snapshot says of a channel. The texts live as long as the snapshot. */
struct shim_snapshot {
	const char *id;
	const char *name;
	/* The id of the channel with which the call began. */
	const char *linked;
	const char *caller_number;
	const char *caller_name;
	const char *connected_number;
	const char *connected_name;
	/* The number that was dialled on the channel. */
	const char *dialled;
	/* The extension at which the channel is in the dialplan. */
	const char *extension;
	struct timeval created;
	enum shim_line line;
	/* Whether Asterisk calls the channel's device. */
	int outgoing;
	/* Whether it does so for a program, and not for a caller. */
	int originated;
	/* Whether the channel has ended. */
	int gone;
};

void shim_snapshot_read(const struct ast_channel_snapshot *snapshot,
	struct shim_snapshot *read);

/* The snapshot after a change, from the data of a message about the change: the message carries
 * the snapshots before and after it, or the one after it alone. */
const struct ast_channel_snapshot *shim_snapshot_after(const void *message);

/* The id of a message's channel; NULL without a channel. It lives as long as the message. */
const char *shim_blob_channel(const struct ast_channel_blob *blob);

/* The caller's number, if the caller withholds it; else NULL. It lives as long as the
 * snapshot. */
const char *shim_snapshot_withheld(const struct ast_channel_snapshot *snapshot);

/* --- parking.h --- */

/* The name of the parked channel; it lives as long as the message. */
const char *shim_parked_channel(const struct ast_parked_call_payload *call);

/* --- http.h, tcptls.h --- */

/* The address of the client without its port; valid until the thread's next call. */
const char *shim_http_remote(struct ast_tcptls_session_instance *session);

/*
 * Reads the JSON body of a request: 0 and a copy for the caller to free, NULL without a body;
 * else an error number: EFBIG for a body beyond the server's limit.
 */
int shim_http_json(struct ast_tcptls_session_instance *session,
	struct ast_variable *headers, char **text);

/* Answers a request; each line in 'headers' has its line end. */
void shim_http_send(struct ast_tcptls_session_instance *session, int method,
	int status, const char *title, const char *headers, const char *body);

/* The same with a body of any bytes; -1 if nothing was sent because memory or file descriptors
 * are short. */
int shim_http_send_bytes(struct ast_tcptls_session_instance *session, int method,
	int status, const char *title, const char *headers, const char *body, size_t length);

/* Answers a request without a body and without Content-Length; the connection ends. */
void shim_http_send_head(struct ast_tcptls_session_instance *session,
	int status, const char *title, const char *headers);

/* --- security_events.h --- */

/* Reports a security event of a HTTP session. 'remote' is the client's address if it differs
 * from the connection's, else NULL. */
void shim_security_report(struct ast_tcptls_session_instance *session, int event,
	const char *service, const char *module, const char *account, const char *remote);

#endif
