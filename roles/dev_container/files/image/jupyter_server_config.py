# JupyterLab of the dev container. The token comes from the file named by JUPYTER_TOKEN_FILE.
c = get_config()  # noqa: F821  (given by traitlets)
# All interfaces of the container; what reaches it from outside is decided by the published port.
c.ServerApp.ip = "0.0.0.0"
c.ServerApp.port = 8888
# without this the server silently moves to 8889 when 8888 is taken
c.ServerApp.port_retries = 0
c.ServerApp.open_browser = False
c.PasswordIdentityProvider.allow_password_change = False
# a login shell, so that /etc/profile.d is read
c.ServerApp.terminado_settings = {"shell_command": ["/bin/bash", "-l"]}
