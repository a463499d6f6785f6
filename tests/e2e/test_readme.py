"""The README's list of commands is what the program prints."""

import subprocess

from support.process import ROOT


def test_command_list_is_fresh(built):
    checked = subprocess.run([ROOT / "scripts/readme", "--check"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
