/*
 * The few structures of pjproject that the layer reads or writes. Asterisk's headers use them,
 * but Debian and most other packages install no headers of pjproject. They have had these
 * layouts since pjproject 2.0; `pjproject.rs` says how each is checked before it is used.
 */
#ifndef ASTERISK_LAYER_PJPROJECT_H
#define ASTERISK_LAYER_PJPROJECT_H

#include <stddef.h>
#include <sys/types.h>

/*
 * The real size depends on how pjproject was configured. What lies behind the first array of
 * this size in a structure is out of bounds.
 */
#ifndef PJSIP_MAX_URL_SIZE
#define PJSIP_MAX_URL_SIZE 1
#endif

typedef struct pj_pool_t pj_pool_t;
typedef struct pjsip_rx_data pjsip_rx_data;
typedef struct pjsip_tx_data pjsip_tx_data;
typedef struct pjsip_dialog pjsip_dialog;
typedef struct pjsip_sip_uri pjsip_sip_uri;
enum pjsip_evsub_state { PJSIP_EVSUB_STATE_NULL };

/* --- pj/types.h --- */

/* A text with its length, without a NUL. */
typedef struct pj_str_t {
	char *ptr;
	ssize_t slen;
} pj_str_t;

/* --- pjlib-util/xml.h: lists are circular, and begin with a head that is no element --- */

typedef struct pj_xml_attr {
	struct pj_xml_attr *prev;
	struct pj_xml_attr *next;
	pj_str_t name;
	pj_str_t value;
} pj_xml_attr;

/* The head of a list of nodes. */
typedef struct pj_xml_node_head {
	struct pj_xml_node *prev;
	struct pj_xml_node *next;
} pj_xml_node_head;

typedef struct pj_xml_node {
	struct pj_xml_node *prev;
	struct pj_xml_node *next;
	pj_str_t name;
	pj_xml_attr attr_head;
	pj_xml_node_head node_head;
	pj_str_t content;
} pj_xml_node;

/* --- pjsip/sip_msg.h --- */

typedef struct pjsip_param {
	struct pjsip_param *prev;
	struct pjsip_param *next;
	pj_str_t name;
	pj_str_t value;
} pjsip_param;

typedef struct pjsip_media_type {
	pj_str_t type;
	pj_str_t subtype;
	pjsip_param param;
} pjsip_media_type;

typedef struct pjsip_msg_body {
	pjsip_media_type content_type;
	void *data;
	unsigned len;
	int (*print_body)(struct pjsip_msg_body *body, char *buffer, size_t size);
	void *(*clone_data)(pj_pool_t *pool, const void *data, unsigned len);
} pjsip_msg_body;

/* The head of a list of headers, which are larger. */
typedef struct pjsip_hdr {
	struct pjsip_hdr *prev;
	struct pjsip_hdr *next;
	int type;
	pj_str_t name;
	pj_str_t sname;
	void *vptr;
} pjsip_hdr;

typedef struct pjsip_method {
	int id;
	pj_str_t name;
} pjsip_method;

/* Of a request; the line of a response, in the same place, is shorter. */
typedef struct pjsip_request_line {
	pjsip_method method;
	void *uri;
} pjsip_request_line;

typedef struct pjsip_msg {
	/* 0 for a request. */
	int type;
	pjsip_request_line line;
	pjsip_hdr hdr;
	pjsip_msg_body *body;
} pjsip_msg;

/* --- pjsip/sip_module.h --- */

typedef struct pjsip_module {
	struct pjsip_module *prev;
	struct pjsip_module *next;
	pj_str_t name;
	int id;
	int priority;
	int (*load)(void *endpoint);
	int (*start)(void);
	int (*stop)(void);
	int (*unload)(void);
	int (*on_rx_request)(pjsip_rx_data *request);
	int (*on_rx_response)(pjsip_rx_data *response);
	int (*on_tx_request)(pjsip_tx_data *request);
	int (*on_tx_response)(pjsip_tx_data *response);
	void (*on_tsx_state)(void *transaction, void *event);
	/* Room for callbacks of later versions. */
	void *reserved[8];
} pjsip_module;

#endif
