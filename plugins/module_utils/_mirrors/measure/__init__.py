# Copyright (c) 2026 The gpuready authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure mirrors from the target: ask for small real files, take one timed sample a host, rank, remember.

`asked` reads what is wished, `wire` and `http` fetch within hard limits, `proxy` says which way, `probe` judges
an answer, `crew` shares the work and the time between hosts, `rank` chooses, `memory` remembers.
"""
