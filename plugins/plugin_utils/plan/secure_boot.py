# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Secure Boot will say to the kernel modules, known before anything is installed.

off: nothing is enforced. signed: the firmware knows the key. enrol: a key has to be enrolled at the console at the next
boot. stop: the modules would be refused, so nothing is installed.
"""

from __future__ import annotations

from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.machine import Machine
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.plan.wishes import Wishes
from ansible_collections.gpuready.bootstrap.plugins.plugin_utils.readiness.text import Text, say


def outcome(machine: Machine, wishes: Wishes, build: bool) -> tuple[str, Text]:
    """The outcome and why. `build`: the modules are compiled on the machine."""
    if machine.secure_boot is False:
        return "off", say("Secure Boot is off: modules need no signature")
    if machine.secure_boot is None:
        return "off", say("whether Secure Boot is on is not known; it is taken as off")
    if not build:
        return "signed", say("the modules come signed with the distribution's key, which the firmware knows")
    if machine.mok_enrolled:
        return "signed", say("dkms signs the modules with this machine's own key, which is enrolled")
    if machine.mok_pending:
        return "enrol", say("this machine's own key waits: reboot, and confirm it at the console (MokManager)")
    if wishes.secure_boot == "enrol":
        return "enrol", say(
            "this machine's own key is given to the firmware: confirm it at the console at the next boot (MokManager),"
            " with the one-time password nvidia_driver_mok_password"
        )
    return "stop", say(
        "Secure Boot is on and would refuse modules built here: nothing is installed. Set nvidia_driver_secure_boot to"
        " enrol (needs the console once), turn it off, or, on Ubuntu, set nvidia_driver_source to distribution"
    )


def running(machine: Machine) -> tuple[str, Text]:
    """The outcome for a driver that runs already."""
    if machine.secure_boot:
        return "signed", say("Secure Boot is on and has accepted the module that is loaded")
    return "off", say("the module is loaded; Secure Boot does not hinder it")
