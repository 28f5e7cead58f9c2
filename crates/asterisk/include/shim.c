/* Before Asterisk's headers, which redefine the names of its functions. */
#include <malloc.h>

#include "asterisk.h"

#include <sys/mman.h>
#include <unistd.h>

#include "asterisk/bridge.h"
#include "asterisk/bridge_features.h"
#include "asterisk/callerid.h"
#include "asterisk/channel.h"
#include "asterisk/config.h"
#include "asterisk/core_local.h"
#include "asterisk/http.h"
#include "asterisk/iostream.h"
#include "asterisk/json.h"
#include "asterisk/localtime.h"
#include "asterisk/logger.h"
#include "asterisk/netsock2.h"
#include "asterisk/options.h"
#include "asterisk/parking.h"
#include "asterisk/pbx.h"
#include "asterisk/security_events.h"
#include "asterisk/stasis_channels.h"
#include "asterisk/strings.h"
#include "asterisk/tcptls.h"
#include "asterisk/utils.h"

#include "shim.h"

/*
 * A local structure of Asterisk's with zeros behind it: a newer release reads or writes members
 * there that these headers do not have.
 */
#define WITH_SLACK(type, name) \
	struct { \
		type it; \
		void *slack[32]; \
	} name; \
	memset(&name, 0, sizeof(name))

size_t shim_str_room(struct ast_str *buffer)
{
	size_t size = ast_str_size(buffer);

	return size ? size - 1 : 0;
}

int shim_str_set(struct ast_str **buffer, const char *text)
{
	return ast_str_set(buffer, 0, "%s", text) < 0 ? -1 : 0;
}

void shim_str_append(struct ast_str **buffer, const char *text)
{
	ast_str_append(buffer, 0, "%s", text);
}

struct ast_config *shim_realtime_all(const char *family)
{
	return ast_load_realtime_multientry(family, "name LIKE", "%", SENTINEL);
}

struct ast_variable *shim_realtime_one(const char *family, const char *name)
{
	return ast_load_realtime_all(family, "name", name, SENTINEL);
}

int shim_realtime_usable(const char *family)
{
	/* Drivers cache the columns of a table: without the cache they ask the database. */
	ast_unload_realtime(family);

	return ast_realtime_require_field(family, "name", RQ_CHAR, 1, SENTINEL) == 0;
}

char *shim_function_read(const char *function)
{
	struct ast_str *buffer = ast_str_create(256);
	char *text = NULL;

	if (buffer && !ast_func_read2(NULL, function, &buffer, 0)) {
		text = ast_strdup(ast_str_buffer(buffer));
	}
	ast_free(buffer);

	return text;
}

int shim_fully_booted(void)
{
	return ast_fully_booted ? 1 : 0;
}

size_t shim_allocated(void)
{
#if defined(__GLIBC__) && !__GLIBC_PREREQ(2, 33)
	/* It counts up to 4 GB. */
	return (unsigned int) mallinfo().uordblks;
#else
	return mallinfo2().uordblks;
#endif
}

/* A copy of a channel's text, made under the channel's lock. */
#define COPY_OF(channel, text) ({ \
	char *copy_; \
	ast_channel_lock(channel); \
	copy_ = ast_strdup(text); \
	ast_channel_unlock(channel); \
	copy_; \
})

char *shim_channel_name(struct ast_channel *channel)
{
	return COPY_OF(channel, ast_channel_name(channel));
}

char *shim_channel_context(struct ast_channel *channel)
{
	return COPY_OF(channel, ast_channel_context(channel));
}

char *shim_channel_caller(struct ast_channel *channel)
{
	return COPY_OF(channel, S_COR(ast_channel_caller(channel)->id.number.valid,
		ast_channel_caller(channel)->id.number.str, NULL));
}

char *shim_channel_variable(struct ast_channel *channel, const char *name)
{
	return COPY_OF(channel, pbx_builtin_getvar_helper(channel, name));
}

char *shim_channel_dialler(struct ast_channel *channel)
{
	struct ast_channel *other = NULL;
	char *application;

	ast_channel_lock(channel);
	if (!strcmp(ast_channel_tech(channel)->type, "Local")) {
		other = ast_local_get_peer(channel);
	}
	ast_channel_unlock(channel);
	if (!other) {
		return NULL;
	}
	application = COPY_OF(other, ast_channel_appl(other));
	ast_channel_unref(other);

	return application;
}

void shim_channel_redirect(struct ast_channel *channel, const char *number,
	int reason)
{
	WITH_SLACK(struct ast_party_redirecting, redirecting);
	WITH_SLACK(struct ast_set_party_redirecting, update);

	update.it.from.number = 1;
	ast_channel_lock(channel);
	ast_party_redirecting_set_init(&redirecting.it, ast_channel_redirecting(channel));
	redirecting.it.from.number.valid = 1;
	redirecting.it.from.number.presentation = AST_PRES_ALLOWED | AST_PRES_USER_NUMBER_UNSCREENED;
	/* ast_channel_set_redirecting copies it. */
	redirecting.it.from.number.str = (char *) number;
	redirecting.it.reason.code = reason;
	redirecting.it.reason.str = "";
	if (!redirecting.it.count++) {
		update.it.orig.number = 1;
		redirecting.it.orig.number = redirecting.it.from.number;
		redirecting.it.orig_reason.code = reason;
		redirecting.it.orig_reason.str = "";
	}
	ast_channel_set_redirecting(channel, &redirecting.it, &update.it);
	ast_channel_unlock(channel);
}

void shim_channel_cause(struct ast_channel *channel, int cause)
{
	ast_channel_lock(channel);
	ast_channel_hangupcause_set(channel, cause);
	ast_channel_unlock(channel);
}

void shim_channel_publish(struct ast_channel *channel)
{
	ast_channel_lock(channel);
	ast_channel_publish_snapshot(channel);
	ast_channel_unlock(channel);
}

int shim_channel_rings(struct ast_channel *channel)
{
	int rings;

	ast_channel_lock(channel);
	rings = ast_channel_state(channel) == AST_STATE_RINGING;
	ast_channel_unlock(channel);

	return rings;
}

/* A member of a snapshot: in segments, or in one piece with longer names. */
#ifdef HAS_AST_CHANNEL_SNAPSHOT_BASE
#define SNAPSHOT(snapshot, segment, member, whole) ((snapshot)->segment->member)
#else
#define SNAPSHOT(snapshot, segment, member, whole) ((snapshot)->whole)
#endif

void shim_snapshot_read(const struct ast_channel_snapshot *snapshot,
	struct shim_snapshot *read)
{
	read->id = SNAPSHOT(snapshot, base, uniqueid, uniqueid);
	read->name = SNAPSHOT(snapshot, base, name, name);
	read->linked = SNAPSHOT(snapshot, peer, linkedid, linkedid);
	read->caller_number = SNAPSHOT(snapshot, caller, number, caller_number);
	read->caller_name = SNAPSHOT(snapshot, caller, name, caller_name);
	read->connected_number = SNAPSHOT(snapshot, connected, number, connected_number);
	read->connected_name = SNAPSHOT(snapshot, connected, name, connected_name);
	read->dialled = SNAPSHOT(snapshot, caller, dnid, caller_dnid);
	read->extension = SNAPSHOT(snapshot, dialplan, exten, exten);
	read->created = SNAPSHOT(snapshot, base, creationtime, creationtime);
	switch (snapshot->state) {
	case AST_STATE_UP:
		read->line = SHIM_LINE_UP;
		break;
	case AST_STATE_DIALING:
	case AST_STATE_RING:
	case AST_STATE_RINGING:
		read->line = SHIM_LINE_RINGING;
		break;
	default:
		read->line = SHIM_LINE_DOWN;
		break;
	}
	/* The core sets the flag after the driver has begun to call. A channel whose device rings is
	 * called in any case: one that calls is in AST_STATE_RING. */
	read->outgoing = snapshot->state == AST_STATE_RINGING
		|| ast_test_flag(&snapshot->flags, AST_FLAG_OUTGOING) ? 1 : 0;
	read->originated = ast_test_flag(&snapshot->flags, AST_FLAG_ORIGINATED) ? 1 : 0;
	read->gone = ast_test_flag(&snapshot->flags, AST_FLAG_DEAD) ? 1 : 0;
}

const struct ast_channel_snapshot *shim_snapshot_after(const void *message)
{
#ifdef HAS_AST_CHANNEL_SNAPSHOT_UPDATE
	const struct ast_channel_snapshot_update *update = message;

	return update->new_snapshot;
#else
	return message;
#endif
}

const char *shim_blob_channel(const struct ast_channel_blob *blob)
{
	return blob->snapshot ? SNAPSHOT(blob->snapshot, base, uniqueid, uniqueid) : NULL;
}

const char *shim_snapshot_withheld(const struct ast_channel_snapshot *snapshot)
{
	int presentation = SNAPSHOT(snapshot, caller, pres, caller_pres);
	int allowed = (presentation & AST_PRES_RESTRICTION) == AST_PRES_ALLOWED;

	return allowed ? NULL : SNAPSHOT(snapshot, caller, number, caller_number);
}

const char *shim_parked_channel(const struct ast_parked_call_payload *call)
{
	return call->parkee ? SNAPSHOT(call->parkee, base, name, name) : NULL;
}

const char *shim_http_remote(struct ast_tcptls_session_instance *session)
{
	return ast_sockaddr_stringify_addr(&session->remote_address);
}

int shim_http_json(struct ast_tcptls_session_instance *session,
	struct ast_variable *headers, char **text)
{
	struct ast_json *json;
	char *dump;

	*text = NULL;
	json = ast_http_get_json(session, headers);
	if (!json) {
		return errno;
	}
	dump = ast_json_dump_string(json);
	*text = ast_strdup(dump);
	ast_json_free(dump);
	ast_json_unref(json);

	return *text ? 0 : ENOMEM;
}

void shim_http_send(struct ast_tcptls_session_instance *session, int method,
	int status, const char *title, const char *headers, const char *body)
{
	struct ast_str *head = ast_str_create(512);
	struct ast_str *out = ast_str_create(strlen(body) + 1);

	if (!head || !out) {
		ast_free(head);
		ast_free(out);
		ast_http_request_close_on_completion(session);
		return;
	}
	ast_str_set(&head, 0, "%s", headers);
	ast_str_set(&out, 0, "%s", body);
	/* Marked as static, so that the server adds no Cache-Control: the headers have one. */
	ast_http_send(session, method, status, title, head, out, 0, 1);
}

int shim_http_send_bytes(struct ast_tcptls_session_instance *session, int method,
	int status, const char *title, const char *headers, const char *body, size_t length)
{
	/* The server sends a text up to its first NUL, and a file whole: a file in memory. */
	int file = memfd_create("body", MFD_CLOEXEC);
	struct ast_str *head = ast_str_create(512);

	if (file < 0 || !head || write(file, body, length) != (ssize_t) length) {
		if (file >= 0) {
			close(file);
		}
		ast_free(head);
		return -1;
	}
	ast_str_set(&head, 0, "%s", headers);
	ast_http_send(session, method, status, title, head, NULL, file, 1);
	close(file);
	return 0;
}

void shim_http_send_head(struct ast_tcptls_session_instance *session,
	int status, const char *title, const char *headers)
{
	struct timeval now = ast_tvnow();
	char date[64];
	WITH_SLACK(struct ast_tm, utc);

	/* Closing a connection with unread data would reset it. */
	ast_http_body_discard(session);
	ast_localtime(&now, &utc.it, "GMT");
	ast_strftime(date, sizeof(date), "%a, %d %b %Y %T GMT", &utc.it);
	ast_iostream_printf(session->stream, "HTTP/1.1 %d %s\r\n%sDate: %s\r\n"
		"Connection: close\r\n\r\n", status, title, headers, date);
}

char *shim_channel_id(struct ast_channel *channel)
{
	return COPY_OF(channel, ast_channel_uniqueid(channel));
}

char *shim_channel_held(struct ast_channel *channel)
{
	/* Only a call of two channels has a peer: nobody is on hold in a conference. */
	struct ast_channel *peer = ast_channel_bridge_peer(channel);
	char *name;

	if (!peer) {
		return NULL;
	}
	name = COPY_OF(peer, ast_channel_hold_state(peer) == AST_CONTROL_HOLD
		? ast_channel_name(peer) : NULL);
	ast_channel_unref(peer);

	return name;
}

int shim_channel_replace(struct ast_channel *channel, struct ast_channel *holder)
{
	struct ast_bridge *bridge = ast_bridge_transfer_acquire_bridge(holder);
	int joined, redirected;
	WITH_SLACK(struct ast_bridge_features, features);

	if (!bridge || ast_bridge_features_init(&features.it)) {
		ao2_cleanup(bridge);
		ast_channel_unref(holder);
		return 0;
	}
	/* The bridge reads it after the join: the peer is resumed as if by the holder. */
	ast_queue_unhold(channel);
	/* ast_bridge_join takes over the references to bridge and holder. */
	joined = !ast_bridge_join(bridge, channel, holder, &features.it, NULL,
		AST_BRIDGE_JOIN_PASS_REFERENCE);
	ast_bridge_features_cleanup(&features.it);
	ast_channel_lock(channel);
	redirected = ast_channel_softhangup_internal_flag(channel) & AST_SOFTHANGUP_ASYNCGOTO;
	ast_channel_unlock(channel);

	return joined ? (redirected ? 2 : 1) : 0;
}

void shim_security_report(struct ast_tcptls_session_instance *session, int type,
	const char *service, const char *module, const char *account, const char *remote)
{
	union security_event {
		struct ast_security_event_common common;
		struct ast_security_event_failed_acl address;
		struct ast_security_event_inval_acct_id account;
		struct ast_security_event_inval_password password;
		struct ast_security_event_successful_auth success;
	};
	char id[32];
	WITH_SLACK(struct ast_sockaddr, address);
	WITH_SLACK(union security_event, event);

	switch (type) {
	case AST_SECURITY_EVENT_FAILED_ACL:
		event.it.common.version = AST_SECURITY_EVENT_FAILED_ACL_VERSION;
		break;
	case AST_SECURITY_EVENT_INVAL_ACCT_ID:
		event.it.common.version = AST_SECURITY_EVENT_INVAL_ACCT_ID_VERSION;
		break;
	case AST_SECURITY_EVENT_INVAL_PASSWORD:
		event.it.common.version = AST_SECURITY_EVENT_INVAL_PASSWORD_VERSION;
		break;
	case AST_SECURITY_EVENT_SUCCESSFUL_AUTH:
		event.it.common.version = AST_SECURITY_EVENT_SUCCESSFUL_AUTH_VERSION;
		event.it.success.using_password = 1;
		break;
	default:
		return;
	}
	snprintf(id, sizeof(id), "%p", session);
	event.it.common.event_type = type;
	event.it.common.service = service;
	event.it.common.module = module;
	event.it.common.account_id = account;
	event.it.common.session_id = id;
	event.it.common.local_addr.addr = &session->parent->local_address;
	event.it.common.remote_addr.addr = &session->remote_address;
	if (remote && ast_sockaddr_parse(&address.it, remote, PARSE_PORT_FORBID)) {
		event.it.common.remote_addr.addr = &address.it;
	}
	event.it.common.local_addr.transport = ast_iostream_get_ssl(session->stream)
		? AST_TRANSPORT_TLS : AST_TRANSPORT_TCP;
	event.it.common.remote_addr.transport = event.it.common.local_addr.transport;
	ast_security_event_report(&event.it.common);
}
