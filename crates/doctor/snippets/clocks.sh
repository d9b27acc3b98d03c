apt-get install -y chrony && chronyc makestep && chronyc tracking
