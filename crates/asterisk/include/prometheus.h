/*
 * The two structures that `res_prometheus` is given. Some packages do not install its header,
 * and old releases have no such module: the layer looks its functions up at run time.
 */
#ifndef ASTERISK_LAYER_PROMETHEUS_H
#define ASTERISK_LAYER_PROMETHEUS_H

#if __has_include("asterisk/res_prometheus.h")
#include "asterisk/res_prometheus.h"
#else

struct ast_str;
struct prometheus_general_config;

struct prometheus_metrics_provider {
	const char *name;
	int (* const reload_cb)(struct prometheus_general_config *config);
	void (* const unload_cb)(void);
};

struct prometheus_callback {
	const char *name;
	void (* callback_fn)(struct ast_str **output);
};

#endif

#endif
