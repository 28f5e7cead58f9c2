#include "asterisk.h"

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
#include "asterisk/module.h"
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

/* In crates/asterisk/src/entry.rs. */
extern const struct {
	int (*load)(void);
	int (*reload)(void);
	int (*unload)(void);
} asterisk_module;

/* It only hands the call on: the loader wants an enum, which C and Rust spell differently. */
static enum ast_module_load_result load_module(void)
{
	return asterisk_module.load() ? AST_MODULE_LOAD_DECLINE : AST_MODULE_LOAD_SUCCESS;
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

void res_userpresence_str_append(struct ast_str **buffer, const char *text)
{
	ast_str_append(buffer, 0, "%s", text);
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

/* A copy of a text that a channel has, made under the channel's lock. */
#define COPY_OF(channel, text) ({ \
	char *copy_; \
	ast_channel_lock(channel); \
	copy_ = ast_strdup(text); \
	ast_channel_unlock(channel); \
	copy_; \
})

char *res_userpresence_channel_name(struct ast_channel *channel)
{
	return COPY_OF(channel, ast_channel_name(channel));
}

char *res_userpresence_channel_context(struct ast_channel *channel)
{
	return COPY_OF(channel, ast_channel_context(channel));
}

char *res_userpresence_channel_caller(struct ast_channel *channel)
{
	return COPY_OF(channel, S_COR(ast_channel_caller(channel)->id.number.valid,
		ast_channel_caller(channel)->id.number.str, NULL));
}

char *res_userpresence_channel_variable(struct ast_channel *channel, const char *name)
{
	return COPY_OF(channel, pbx_builtin_getvar_helper(channel, name));
}

char *res_userpresence_channel_dialler(struct ast_channel *channel)
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

void res_userpresence_channel_redirect(struct ast_channel *channel, const char *number,
	int reason)
{
	struct ast_party_redirecting redirecting;
	struct ast_set_party_redirecting update;

	memset(&update, 0, sizeof(update));
	update.from.number = 1;
	ast_channel_lock(channel);
	ast_party_redirecting_set_init(&redirecting, ast_channel_redirecting(channel));
	redirecting.from.number.valid = 1;
	redirecting.from.number.presentation = AST_PRES_ALLOWED | AST_PRES_USER_NUMBER_UNSCREENED;
	/* It is copied, not kept. */
	redirecting.from.number.str = (char *) number;
	redirecting.reason.code = reason;
	redirecting.reason.str = "";
	if (!redirecting.count++) {
		update.orig.number = 1;
		redirecting.orig.number = redirecting.from.number;
		redirecting.orig_reason.code = reason;
		redirecting.orig_reason.str = "";
	}
	ast_channel_set_redirecting(channel, &redirecting, &update);
	ast_channel_unlock(channel);
}

void res_userpresence_channel_cause(struct ast_channel *channel, int cause)
{
	ast_channel_lock(channel);
	ast_channel_hangupcause_set(channel, cause);
	ast_channel_unlock(channel);
}

void res_userpresence_channel_publish(struct ast_channel *channel)
{
	ast_channel_lock(channel);
	ast_channel_publish_snapshot(channel);
	ast_channel_unlock(channel);
}

const char *res_userpresence_parked_channel(const struct ast_parked_call_payload *call)
{
	return call->parkee ? call->parkee->base->name : NULL;
}

const char *res_userpresence_http_remote(struct ast_tcptls_session_instance *session)
{
	return ast_sockaddr_stringify_addr(&session->remote_address);
}

int res_userpresence_http_json(struct ast_tcptls_session_instance *session,
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

void res_userpresence_http_send(struct ast_tcptls_session_instance *session, int method,
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
	/* As if it were static: what may be kept is said in our own headers. */
	ast_http_send(session, method, status, title, head, out, 0, 1);
}

void res_userpresence_http_send_head(struct ast_tcptls_session_instance *session,
	int status, const char *title, const char *headers)
{
	struct timeval now = ast_tvnow();
	struct ast_tm utc;
	char date[64];

	/* Closed with something unread, the connection would be reset. */
	ast_http_body_discard(session);
	ast_localtime(&now, &utc, "GMT");
	ast_strftime(date, sizeof(date), "%a, %d %b %Y %T GMT", &utc);
	ast_iostream_printf(session->stream, "HTTP/1.1 %d %s\r\n%sDate: %s\r\n"
		"Connection: close\r\n\r\n", status, title, headers, date);
}

char *res_userpresence_channel_id(struct ast_channel *channel)
{
	return COPY_OF(channel, ast_channel_uniqueid(channel));
}

char *res_userpresence_channel_held(struct ast_channel *channel)
{
	/* Of two who talk to each other: in a conference nobody is held. */
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

int res_userpresence_channel_replace(struct ast_channel *channel, struct ast_channel *holder)
{
	struct ast_bridge_features features;
	struct ast_bridge *bridge = ast_bridge_transfer_acquire_bridge(holder);
	int joined, redirected;

	if (!bridge || ast_bridge_features_init(&features)) {
		ao2_cleanup(bridge);
		ast_channel_unref(holder);
		return 0;
	}
	/* It is read once the channel is in the bridge: as if the holder had resumed. */
	ast_queue_unhold(channel);
	/* The references to bridge and holder are given away. */
	joined = !ast_bridge_join(bridge, channel, holder, &features, NULL,
		AST_BRIDGE_JOIN_PASS_REFERENCE);
	ast_bridge_features_cleanup(&features);
	ast_channel_lock(channel);
	redirected = ast_channel_softhangup_internal_flag(channel) & AST_SOFTHANGUP_ASYNCGOTO;
	ast_channel_unlock(channel);

	return joined ? (redirected ? 2 : 1) : 0;
}

void res_userpresence_security_report(struct ast_tcptls_session_instance *session, int type,
	const char *name, const char *remote)
{
	struct ast_sockaddr address;
	union {
		struct ast_security_event_common common;
		struct ast_security_event_failed_acl address;
		struct ast_security_event_inval_acct_id account;
		struct ast_security_event_inval_password password;
		struct ast_security_event_successful_auth success;
	} event;
	char id[32];

	memset(&event, 0, sizeof(event));
	switch (type) {
	case AST_SECURITY_EVENT_FAILED_ACL:
		event.common.version = AST_SECURITY_EVENT_FAILED_ACL_VERSION;
		break;
	case AST_SECURITY_EVENT_INVAL_ACCT_ID:
		event.common.version = AST_SECURITY_EVENT_INVAL_ACCT_ID_VERSION;
		break;
	case AST_SECURITY_EVENT_INVAL_PASSWORD:
		event.common.version = AST_SECURITY_EVENT_INVAL_PASSWORD_VERSION;
		break;
	case AST_SECURITY_EVENT_SUCCESSFUL_AUTH:
		event.common.version = AST_SECURITY_EVENT_SUCCESSFUL_AUTH_VERSION;
		event.success.using_password = 1;
		break;
	default:
		return;
	}
	snprintf(id, sizeof(id), "%p", session);
	event.common.event_type = type;
	event.common.service = "UserPresence";
	event.common.module = AST_MODULE;
	event.common.account_id = name;
	event.common.session_id = id;
	event.common.local_addr.addr = &session->parent->local_address;
	event.common.remote_addr.addr = &session->remote_address;
	if (remote && ast_sockaddr_parse(&address, remote, PARSE_PORT_FORBID)) {
		event.common.remote_addr.addr = &address;
	}
	event.common.local_addr.transport = ast_iostream_get_ssl(session->stream)
		? AST_TRANSPORT_TLS : AST_TRANSPORT_TCP;
	event.common.remote_addr.transport = event.common.local_addr.transport;
	ast_security_event_report(&event.common);
}
