npm install -g wscat
