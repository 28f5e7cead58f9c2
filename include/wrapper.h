/* The headers that bindgen reads; build.rs lists which of their names are wanted. */
#include "asterisk.h"

#include "asterisk/ast_version.h"
#include "asterisk/astdb.h"
#include "asterisk/astobj2.h"
#include "asterisk/cli.h"
#include "asterisk/config.h"
#include "asterisk/logger.h"
#include "asterisk/manager.h"
#include "asterisk/module.h"
#include "asterisk/options.h"
#include "asterisk/pbx.h"
#include "asterisk/presencestate.h"
#include "asterisk/stasis.h"
#include "asterisk/strings.h"
#include "asterisk/utils.h"

#include "shim.h"
