"""A SIP client by pjsua2 that watches an extension and publishes its own presence.

Arguments: the server as ADDRESS:PORT, its account, the extension, its own port. It prints
what it sees after each NOTIFY, reads `publish ACTIVITY NOTE` from its standard input, and
runs until that ends.
"""

import os
import sys

import pjsua2

STATUS = {
    pjsua2.PJSUA_BUDDY_STATUS_UNKNOWN: "unknown",
    pjsua2.PJSUA_BUDDY_STATUS_ONLINE: "online",
    pjsua2.PJSUA_BUDDY_STATUS_OFFLINE: "offline",
}
ACTIVITY = {
    pjsua2.PJRPID_ACTIVITY_UNKNOWN: "none",
    pjsua2.PJRPID_ACTIVITY_AWAY: "away",
    pjsua2.PJRPID_ACTIVITY_BUSY: "busy",
}


class Watched(pjsua2.Buddy):
    def onBuddyState(self):
        info = self.getInfo()
        # Accepted and not notified yet.
        if info.subState != pjsua2.PJSIP_EVSUB_STATE_ACTIVE:
            return
        presence = info.presStatus
        words = [STATUS[presence.status]]
        if presence.activity != pjsua2.PJRPID_ACTIVITY_UNKNOWN:
            words.append(ACTIVITY[presence.activity])
        if presence.note:
            words.append(f"“{presence.note}”")
        print("sees:", ", ".join(words), flush=True)


def publish(account, activity, note):
    status = pjsua2.PresenceStatus()
    status.status = pjsua2.PJSUA_BUDDY_STATUS_ONLINE
    status.activity = next(code for code, word in ACTIVITY.items() if word == activity)
    status.note = note
    account.setOnlineStatus(status)


def commands():
    """The lines that have come in; None at the end of the input."""
    try:
        text = os.read(0, 65536).decode()
    except BlockingIOError:
        return []
    return text.splitlines() if text else None


def main(server, name, extension, port):
    endpoint = pjsua2.Endpoint()
    endpoint.libCreate()
    config = pjsua2.EpConfig()
    config.logConfig.level = 5
    config.logConfig.consoleLevel = 0
    config.logConfig.filename = "pjsua.log"
    # Everything happens in this thread.
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = True
    endpoint.libInit(config)
    endpoint.audDevManager().setNullDev()
    transport = pjsua2.TransportConfig()
    transport.boundAddress = "127.0.0.1"
    transport.port = int(port)
    endpoint.transportCreate(pjsua2.PJSIP_TRANSPORT_UDP, transport)
    endpoint.libStart()

    settings = pjsua2.AccountConfig()
    settings.idUri = f"sip:{name}@{server}"
    settings.regConfig.registerOnAdd = False
    account = pjsua2.Account()
    account.create(settings)
    watched = Watched()
    contact = pjsua2.BuddyConfig()
    contact.uri = f"sip:{extension}@{server}"
    contact.subscribe = True
    watched.create(account, contact)

    os.set_blocking(0, False)
    while (lines := commands()) is not None:
        for line in lines:
            _, activity, note = (line + "  ").split(" ", 2)
            if not settings.presConfig.publishEnabled:
                settings.presConfig.publishEnabled = True
                account.modify(settings)
            publish(account, activity, note.strip())
        endpoint.libHandleEvents(10)


main(*sys.argv[1:])
