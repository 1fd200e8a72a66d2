const token = localStorage.getItem('auth_token');
const ws = new WebSocket(`ws://localhost:3001/ws?token=${token}`);
